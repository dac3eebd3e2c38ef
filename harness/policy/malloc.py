"""Which block a malloc over slab caches must return.

Design document 003: small sizes are rounded up to a power of two and come from the cache of that
size, from 16 to 512 bytes; larger ones take whole contiguous frames, with a header in front that
the block lies right behind.
"""

from __future__ import annotations

from harness.decode.belief.paging import FRAME_SIZE
from harness.decode.state import MemoryState
from harness.policy.protocols import FramePolicy
from harness.policy.slab import SlabPolicy
from harness.policy.zones import NORMAL

SMALLEST, LARGEST = 16, 512
"""Bytes of an object of the first and of the last cache."""
_SMALLEST_BITS = (SMALLEST - 1).bit_length()


class MallocPolicy:
    """The heap of one decoded state, from then on. Addresses are virtual."""

    def __init__(self, state: MemoryState, frames: FramePolicy) -> None:
        """Take the caches ``malloc-16`` to ``malloc-512`` and the large blocks."""
        caches = {cache.name: cache for one in state.caches for cache in one.caches}
        [large] = state.large_blocks
        self._base = _direct_map(state)
        self._header = large.header_size
        self._frames = frames
        sizes = [SMALLEST << n for n in range((LARGEST // SMALLEST).bit_length())]
        self._classes = [SlabPolicy(caches[f"malloc-{size}"], frames, self._base) for size in sizes]
        self._small: dict[int, SlabPolicy] = {}
        """The cache of each small block that was given since."""
        self._large = {block.header + self._header: block.pages for block in large.blocks}

    @property
    def caches(self) -> dict[str, SlabPolicy]:
        """The policies of its caches, by the caches' names."""
        sizes = (SMALLEST << index for index in range(len(self._classes)))
        return {f"malloc-{size}": one for size, one in zip(sizes, self._classes, strict=True)}

    @classmethod
    def of(cls, state: MemoryState, frames: FramePolicy) -> MallocPolicy:
        """Start from ``state``, with the policy of the frame allocator under the heap."""
        return cls(state, frames)

    def alloc(self, size: int) -> int:
        """Return the address of a block of at least ``size`` bytes, 0 when there is none."""
        if size > LARGEST:
            return self._alloc_large(size)
        if size == 0:
            return 0
        cache = self._classes[(max(size, SMALLEST) - 1).bit_length() - _SMALLEST_BITS]
        address = cache.alloc()
        self._small[address] = cache
        return address

    def free(self, address: int) -> None:
        """Take back what :meth:`alloc` gave."""
        cache = self._small.pop(address, None)
        if cache is None and address not in self._large:
            cache = next(one for one in self._classes if one.holds(address))
        if cache is not None:
            cache.free(address)
        else:
            pages = self._large.pop(address)
            self._frames.free(address - self._header - self._base, pages)

    def _alloc_large(self, size: int) -> int:
        pages = -(-(size + self._header) // FRAME_SIZE)
        frames = self._frames.alloc(NORMAL, pages) if size + self._header < 1 << 32 else 0
        if not frames:
            return 0
        address = frames + self._base + self._header
        self._large[address] = pages
        return address


def _direct_map(state: MemoryState) -> int:
    """Return the virtual address of physical 0: every slab lies in the direct map."""
    slab = next(slab for one in state.caches for cache in one.caches for slab in cache.slabs)
    return slab.page - slab.frame * FRAME_SIZE
