"""What the buddy allocator over the frame table must return.

Free blocks of 2^order frames hang on a list for each zone and order. A request takes the *first*
block of the first list that is not empty, from its order up; the lower half is kept each time that
the block is too large, the upper one goes to the *back* of its list. A block that is freed joins
its buddy for as long as that is free as a whole, and goes to the back as well. When a zone has
nothing, the zone below it is asked.

That is what design document 001 says of the lists, and Knowlton's buddy system (*A fast storage
allocator*, CACM 8:10, 1965) of the blocks.
"""

from __future__ import annotations

from collections import OrderedDict

from harness.decode.belief.paging import FRAME_SIZE
from harness.decode.state import MemoryState
from harness.policy.zones import HIGHEST_ZONE

FrameList = OrderedDict[int, None]
"""First frame of each free block of one zone and order, in list order."""


class BuddyPolicy:
    """The buddy allocator of one decoded state, from then on.

    It knows the free blocks only: what is freed must have been allocated so.
    """

    def __init__(self, lists: list[list[FrameList]], zone_of: bytes) -> None:
        """Take the lists by zone and order, and the index of each frame's zone."""
        self._lists = lists
        self._zone_of = zone_of

    @classmethod
    def of(cls, state: MemoryState) -> BuddyPolicy:
        """Start from the free lists of ``state``, whose frame table says where the zones are."""
        table = state.frame_table
        if table is None or len(state.free_lists) != 1 or table.first_frame != 0:
            raise ValueError("the state is not that of one buddy allocator over a frame table")
        found = state.free_lists[0].lists
        zones = 1 + max(one.zone for one in found)
        orders = 1 + max(one.order for one in found)
        lists: list[list[FrameList]] = [
            [OrderedDict() for _ in range(orders)] for _ in range(zones)
        ]
        for one in found:
            lists[one.zone][one.order] = OrderedDict.fromkeys(one.frames.tolist())
        return cls(lists, table.zone.tobytes())

    def alloc(self, flags: int, pages: int) -> int:
        """Return the physical address of 2^n frames that hold ``pages``, or 0 without a block."""
        order = (pages - 1).bit_length()
        if pages:
            for zone in range(HIGHEST_ZONE[flags], -1, -1):
                lists = self._lists[zone]
                for found in range(order, len(lists)):
                    if lists[found]:
                        return self._take(lists, found, order) * FRAME_SIZE
        return 0

    def free(self, address: int, pages: int) -> None:
        """Take back what :meth:`alloc` gave at ``address`` (physical, bytes) for ``pages``."""
        frame, order = address // FRAME_SIZE, (pages - 1).bit_length()
        lists = self._lists[self._zone_of[frame]]
        top = len(lists) - 1
        while order < top and (buddy := frame ^ 1 << order) in lists[order]:
            del lists[order][buddy]
            frame &= ~(1 << order)
            order += 1
        lists[order][frame] = None

    def free_blocks(self) -> list[list[list[int]]]:
        """Return the first frame of each free block, by zone and order, in list order."""
        return [[list(one) for one in lists] for lists in self._lists]

    @staticmethod
    def _take(lists: list[FrameList], found: int, order: int) -> int:
        """Take the first block of order ``found`` and give back what is too much."""
        frame, _ = lists[found].popitem(last=False)
        for half in range(found - 1, order - 1, -1):
            lists[half][frame + (1 << half)] = None
        return frame
