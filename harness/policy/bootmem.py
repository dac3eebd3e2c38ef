"""Bootmem: the lowest free frames in a row, above the DMA zone where there are any."""

from __future__ import annotations

from harness.decode.belief.paging import FRAME_SIZE
from harness.decode.state import MemoryState
from harness.policy.free_frames import FreeFrames


class BootmemPolicy:
    """What bootmem must return; addresses are physical."""

    def __init__(self, free: FreeFrames, dma_end: int, end: int) -> None:
        """Take the free frames, and the first frame behind the DMA zone and the direct map."""
        self._free = free
        self._dma_end, self._end = dma_end, end

    @classmethod
    def of(cls, state: MemoryState, dma_end: int, end: int) -> BootmemPolicy:
        """Begin with a state before the hand-over; ``ValueError`` when no bitmap is in charge."""
        for bitmap in state.bitmaps:
            if bitmap.chosen and not bitmap.gone:
                return cls(FreeFrames.of(bitmap), dma_end, end)
        raise ValueError("no bitmap is in charge")

    def alloc(self, pages: int) -> int:
        """Take frames in a row; return the address of the first, 0 on failure."""
        for start in (self._dma_end, 0):
            first = self._free.find(pages, start, self._end)
            if first is not None:
                self._free.take(first, pages)
                return first * FRAME_SIZE
        return 0

    def free(self, address: int, pages: int) -> None:
        """Give frames back; raise :class:`ValueError` when they are not taken."""
        self._free.release(address // FRAME_SIZE, pages)
