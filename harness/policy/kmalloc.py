"""Which block a kmalloc with an area for each block must return.

Design document 002: whole pages of virtual memory, cut from the first free area that is long
enough, in address order; neighbours that are free are joined. Frames are mapped behind them one by
one, from anywhere, and a header lies in front.

Frames matter only when they run out, and so do those of page tables, which come with the first page
of 4 MiB and go with the last, and those that hold the records of areas, which stay.
"""

from __future__ import annotations

from bisect import bisect_left, insort

from harness.decode.belief.heaps import Heap
from harness.decode.belief.paging import FRAME_SIZE
from harness.decode.state import MemoryState
from harness.policy.protocols import FramePolicy
from harness.policy.zones import HIGH, NORMAL, ZERO

TABLE_SIZE = 4 << 20
"""Bytes that one page table maps: SDM volume 3, section 4.3."""
POINTER = 4
"""Bytes in front of the records in each of their frames: they are chained."""
RECORDS = "area records"
"""What the records' frames are called in a state."""


class KmallocPolicy:
    """The heap of one decoded state, from then on. Addresses are virtual."""

    def __init__(self, state: MemoryState, heap: Heap, frames: FramePolicy) -> None:
        """Take the areas, the frames behind them, and the records that describe nothing."""
        self._frames = frames
        self._header = heap.header_size
        self._gaps = {area.start: area.pages for area in heap.areas if not area.used}
        self._starts = sorted(self._gaps)
        self._ends = {start + pages * FRAME_SIZE: start for start, pages in self._gaps.items()}
        physical = dict(
            zip(
                state.page_tables.mappings["virtual"].tolist(),
                state.page_tables.mappings["physical"].tolist(),
                strict=True,
            )
        )
        self._blocks: dict[int, list[int]] = {}
        for area in heap.areas:
            if area.used:
                pages = range(area.start, area.start + area.pages * FRAME_SIZE, FRAME_SIZE)
                self._blocks[area.start] = [physical[page] for page in pages]
        self._tables = _tables(state, heap)
        self._mapped: dict[int, int] = {}
        for start, backing in self._blocks.items():
            for index in range(len(backing)):
                table = (start + index * FRAME_SIZE) // TABLE_SIZE
                self._mapped[table] = self._mapped.get(table, 0) + 1
        self._records_a_frame = (FRAME_SIZE - POINTER) // heap.record_size
        kept = sum(len(r) for m in state.metadata if m.name == RECORDS for r in m.storage)
        self._spare = kept // FRAME_SIZE * self._records_a_frame - len(heap.areas)

    @classmethod
    def of(cls, state: MemoryState, frames: FramePolicy) -> KmallocPolicy:
        """Start from ``state``, with the policy of the frame allocator under the heap."""
        [heap] = state.heaps
        return cls(state, heap, frames)

    def alloc(self, size: int) -> int:
        """Return the address of a block of at least ``size`` bytes, 0 when there is none."""
        pages = -(-(size + self._header) // FRAME_SIZE)
        start = self._take_area(pages) if size else 0
        if not start:
            return 0
        backing: list[int] = []
        for index in range(pages):
            frame = self._back(start + index * FRAME_SIZE)
            if not frame:
                self._unback(start, backing)
                self._give_area(start, pages)
                return 0
            backing.append(frame)
        self._blocks[start] = backing
        return start + self._header

    def free(self, address: int) -> None:
        """Take back what :meth:`alloc` gave."""
        start = address - self._header
        backing = self._blocks.pop(start)
        self._unback(start, backing)
        self._give_area(start, len(backing))

    def _take_area(self, pages: int) -> int:
        for start in self._starts:
            if self._gaps[start] >= pages:
                break
        else:
            return 0
        left = self._gaps[start] - pages
        if left and not self._take_record():
            return 0
        self._remove_gap(start)
        if left:
            self._add_gap(start + pages * FRAME_SIZE, left)
        return start

    def _take_record(self) -> bool:
        """Use a spare record for the area that is cut off, or those of a new frame."""
        if not self._spare:
            if not self._frames.alloc(NORMAL | ZERO, 1):
                return False
            self._spare = self._records_a_frame
        self._spare -= 1
        return True

    def _give_area(self, start: int, pages: int) -> None:
        """Make an area free, and one with its free neighbours, whose records are spare then."""
        end = start + pages * FRAME_SIZE
        if end in self._gaps:
            pages += self._remove_gap(end)
            self._spare += 1
        if start in self._ends:
            start = self._ends[start]
            pages += self._remove_gap(start)
            self._spare += 1
        self._add_gap(start, pages)

    def _add_gap(self, start: int, pages: int) -> None:
        self._gaps[start] = pages
        self._ends[start + pages * FRAME_SIZE] = start
        insort(self._starts, start)

    def _remove_gap(self, start: int) -> int:
        pages = self._gaps.pop(start)
        del self._ends[start + pages * FRAME_SIZE]
        del self._starts[bisect_left(self._starts, start)]
        return pages

    def _back(self, page: int) -> int:
        """Return the frame that is mapped at a page, 0 when there is none, or none for a table."""
        frame = self._frames.alloc(HIGH, 1)
        table = page // TABLE_SIZE
        if not frame:
            return 0
        if not self._mapped.get(table):
            self._tables[table] = self._frames.alloc(NORMAL | ZERO, 1)
            if not self._tables[table]:
                self._frames.free(frame, 1)
                return 0
        self._mapped[table] = self._mapped.get(table, 0) + 1
        return frame

    def _unback(self, start: int, backing: list[int]) -> None:
        for index, frame in enumerate(backing):
            table = (start + index * FRAME_SIZE) // TABLE_SIZE
            self._mapped[table] -= 1
            if not self._mapped[table]:
                self._frames.free(self._tables[table], 1)
            self._frames.free(frame, 1)


def _tables(state: MemoryState, heap: Heap) -> dict[int, int]:
    """Return the physical address of each page table of the heap, by the 4 MiB that it maps."""
    tables = state.page_tables
    pairs = zip(tables.table_virtual.tolist()[1:], tables.tables.tolist()[1:], strict=True)
    return {
        virtual // TABLE_SIZE: physical
        for virtual, physical in pairs
        if heap.start <= virtual < heap.end
    }
