"""First fit over a bitmap: the lowest free frames in a row below the caller's limit.

After oct's document: a bit that is 1 is a block that is taken, and block 0 always is, so that its
address can stand for failure.
"""

from __future__ import annotations

from harness.decode.belief.paging import FRAME_SIZE
from harness.decode.state import MemoryState
from harness.policy.free_frames import FreeFrames, bitmap_in_charge
from harness.policy.zones import HIGHEST_ZONE


class FirstFitPolicy:
    """What a first-fit allocator of frames must return; addresses are physical."""

    def __init__(self, free: FreeFrames, zones: tuple[int, ...]) -> None:
        """Take the free frames, and the first frame behind each of the three zones."""
        self._free = free
        self._zones = zones

    @classmethod
    def of(cls, state: MemoryState) -> FirstFitPolicy:
        """Begin with a decoded state; raise :class:`ValueError` when no bitmap is in charge."""
        return cls(FreeFrames.of(bitmap_in_charge(state)), state.zones)

    def alloc(self, flags: int, pages: int) -> int:
        """Take frames; return the address of the first, 0 on failure."""
        limit = self._zones[HIGHEST_ZONE[flags]]
        first = self._free.find(pages, 0, limit)
        if first is None:
            return 0
        self._free.take(first, pages)
        return first * FRAME_SIZE

    def free(self, address: int, pages: int) -> None:
        """Give frames back; raise :class:`ValueError` when they are not taken."""
        self._free.release(address // FRAME_SIZE, pages)
