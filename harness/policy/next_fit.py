"""Next fit over a bitmap: the search goes on behind the last allocation, and wraps once.

Frames are contiguous, as apoptOS's document has it; the choice among several runs is the cursor's.
A run counts as behind the cursor when its first frame is. A free does not move the cursor.
"""

from __future__ import annotations

from harness.decode.belief.paging import FRAME_SIZE
from harness.decode.state import MemoryState
from harness.policy.free_frames import FreeFrames, bitmap_in_charge
from harness.policy.zones import HIGHEST_ZONE


class NextFitPolicy:
    """What a next-fit allocator of frames must return; addresses are physical."""

    def __init__(self, free: FreeFrames, zones: tuple[int, ...], cursor: int = 0) -> None:
        """Take the free frames, the ends of the three zones, and where a search begins."""
        self._free = free
        self._zones = zones
        self.cursor = cursor
        """The frame behind the last allocation."""

    @classmethod
    def of(cls, state: MemoryState) -> NextFitPolicy:
        """Begin with a decoded state; raise :class:`ValueError` when no bitmap is in charge."""
        bitmap = bitmap_in_charge(state)
        return cls(FreeFrames.of(bitmap), state.zones, bitmap.cursor or 0)

    def alloc(self, flags: int, pages: int) -> int:
        """Take frames; return the address of the first, 0 on failure."""
        limit = self._zones[HIGHEST_ZONE[flags]]
        first = self._free.find(pages, self.cursor, limit)
        if first is None:
            first = self._free.find(pages, 0, limit)
        if first is None:
            return 0
        self._free.take(first, pages)
        self.cursor = first + pages
        return first * FRAME_SIZE

    def free(self, address: int, pages: int) -> None:
        """Give frames back; raise :class:`ValueError` when they are not taken."""
        self._free.release(address // FRAME_SIZE, pages)
