"""Which object a slab cache must return.

Design document 003 promises Bonwick's small slabs: an object comes from a slab that has some live
ones already, so that the others can become empty and be given back; only without such a slab from
an empty one, and only without that from a new one, if the cache may grow by itself. Within a slab
the object that was freed last is given out first; a new slab gives its objects out in the order of
their addresses. The slab that changed its list last is the first one there. An empty slab is given
back when there is another one, unless only somebody's wish makes the cache grow.

That is what J. Bonwick says in *The Slab Allocator: An Object-Caching Kernel Memory Allocator*
(USENIX Summer 1994, sections 3.2 to 3.4); how many empty slabs are kept is this kernel's choice.
"""

from __future__ import annotations

from collections import OrderedDict

from harness.decode.belief.paging import FRAME_SIZE
from harness.decode.belief.slabs import Cache
from harness.policy.protocols import FramePolicy
from harness.policy.zones import NORMAL

SlabList = OrderedDict[int, None]
"""Virtual addresses of slabs, the first one first."""


class SlabPolicy:
    """One cache of one decoded state, from then on. Addresses are virtual."""

    def __init__(self, cache: Cache, frames: FramePolicy, base: int) -> None:
        """Take the cache as it is; ``base`` is the virtual address of physical 0."""
        self._frames, self._base = frames, base
        self._pitch, self._first, self._capacity = cache.pitch, cache.first, cache.capacity
        self._grows = cache.grows
        self._free: dict[int, list[int]] = {}
        self._partial: SlabList = OrderedDict()
        self._empty: SlabList = OrderedDict()
        for slab in cache.slabs:
            self._free[slab.page] = [self._object(slab.page, i) for i in reversed(slab.free)]
            if slab.listed != "full":
                lists = {"partial": self._partial, "empty": self._empty}
                lists[slab.listed][slab.page] = None

    def _object(self, page: int, index: int) -> int:
        return page + self._first + int(index) * self._pitch

    def alloc(self) -> int:
        """Return an object's address, 0 when there is none."""
        partial = self._partial
        if partial:
            page = next(iter(partial))
        elif self._empty or (self._grows and self.grow()):
            page = next(iter(self._empty))
            del self._empty[page]
            _to_front(partial, page)
        else:
            return 0
        free = self._free[page]
        address = free.pop()
        if not free:
            del partial[page]
        return address

    def free(self, address: int) -> None:
        """Take back what :meth:`alloc` gave."""
        page = address & -FRAME_SIZE
        free = self._free[page]
        free.append(address)
        if len(free) == self._capacity:
            self._partial.pop(page, None)
            if self._grows and self._empty:
                self._release(page)
            else:
                _to_front(self._empty, page)
        elif len(free) == 1:
            _to_front(self._partial, page)

    def grow(self) -> bool:
        """Add an empty slab; tell whether there was a frame for it."""
        frame = self._frames.alloc(NORMAL, 1)
        if not frame:
            return False
        page = frame + self._base
        self._free[page] = [self._object(page, i) for i in reversed(range(self._capacity))]
        _to_front(self._empty, page)
        return True

    def reap(self) -> int:
        """Give every empty slab back, the first one first; return how many there were."""
        pages = list(self._empty)
        self._empty.clear()
        for page in pages:
            self._release(page)
        return len(pages)

    def holds(self, address: int) -> bool:
        """Tell whether an address lies in one of this cache's slabs."""
        return address & -FRAME_SIZE in self._free

    def _release(self, page: int) -> None:
        del self._free[page]
        self._frames.free(page - self._base, 1)


def _to_front(slabs: SlabList, page: int) -> None:
    slabs[page] = None
    slabs.move_to_end(page, last=False)
