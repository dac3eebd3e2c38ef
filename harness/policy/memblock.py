"""Memblock: ranges that are given out from their start up, the lowest that has room first."""

from __future__ import annotations

from harness.decode.belief.paging import FRAME_SIZE
from harness.decode.state import MemoryState


class MemblockPolicy:
    """What memblock must return; all addresses are physical, in bytes."""

    def __init__(self, ranges: list[tuple[int, int]], dma_end: int, end: int) -> None:
        """Take the free ranges (first byte, first byte behind), ascending, and two borders.

        They are the ends of the DMA zone, above which is searched first, and of the direct map.
        """
        self.ranges = ranges
        """What is free, ascending: the first byte, and the first one behind."""
        self._dma_end, self._end = dma_end, end

    @classmethod
    def of(cls, state: MemoryState, dma_end: int, end: int) -> MemblockPolicy:
        """Begin with a state before the hand-over; ``ValueError`` when no bump is in charge."""
        for bump in state.bumps:
            if bump.chosen and not bump.gone:
                return cls([(one.cursor, one.end) for one in bump.ranges], dma_end, end)
        raise ValueError("no bump allocator is in charge")

    def alloc(self, size: int, align: int) -> int:
        """Take bytes at a multiple of ``align``; return their address, 0 on failure."""
        for floor in (self._dma_end, 0):
            for index, (start, end) in enumerate(self.ranges):
                place = _up(max(start, floor), align)
                if size and place + size <= min(end, self._end):
                    self._take(index, place, size)
                    return place
        return 0

    def _take(self, index: int, place: int, size: int) -> None:
        """Whole frames that the alignment skips stay free; less than a frame is lost."""
        start, end = self.ranges[index]
        skipped = (start, place // FRAME_SIZE * FRAME_SIZE)
        rest = [(place + size, end)]
        if _up(start, FRAME_SIZE) < skipped[1]:
            rest.insert(0, skipped)
        self.ranges[index : index + 1] = rest


def _up(address: int, align: int) -> int:
    return -(-address // align) * align
