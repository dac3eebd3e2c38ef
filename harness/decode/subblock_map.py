"""What the maps of sub-blocks say: their runs, and with them what each byte is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.decode.belief.heaps import (
    EXTENT,
    ByteKind,
    HeapBytes,
    SubblockHeap,
    SubblockValue,
)
from harness.decode.belief.paging import FRAME_SIZE

I64 = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Runs:
    """Runs of one value in the maps of a heap's blocks; none goes on into another block."""

    first: I64
    """Index in the heap's ``map``."""
    end: I64
    value: npt.NDArray[np.uint8]
    block: I64
    """Index of the block."""

    @property
    def length(self) -> I64:
        """Return how many sub-blocks each run has."""
        return self.end - self.first

    def where(self, mask: npt.NDArray[np.bool_]) -> Runs:
        """Return some of them."""
        return Runs(self.first[mask], self.end[mask], self.value[mask], self.block[mask])

    @property
    def live(self) -> Runs:
        """Return those that are allocations, as far as colours tell them apart."""
        return self.where(self.value >= SubblockValue.COLOUR)


def runs_of(heap: SubblockHeap) -> Runs:
    """Return the runs in the maps of all blocks."""
    begins = np.empty(len(heap.map), dtype=np.bool_)
    begins[1:] = heap.map[1:] != heap.map[:-1]
    begins[heap.borders[:-1]] = True
    first = np.flatnonzero(begins)
    end = np.append(first[1:], len(heap.map))[: len(first)]
    return Runs(first, end, heap.map[first], block_of(heap, first))


def block_of(heap: SubblockHeap, index: I64) -> I64:
    """Return in which block's map each index of the heap's ``map`` is."""
    return np.searchsorted(heap.borders, index, side="right") - 1


def metadata_of(heap: SubblockHeap) -> I64:
    """Return how many sub-blocks at each block's start its header and its map take."""
    return -(-_records(heap) // heap.subblock)


def addresses_of(heap: SubblockHeap, index: I64) -> I64:
    """Return the virtual address of the sub-block that each index of the heap's ``map`` is for."""
    block = block_of(heap, index)
    found: I64 = heap.blocks["start"][block] + (index - heap.borders[block]) * heap.subblock
    return found


def pages_of(heap: SubblockHeap) -> I64:
    """Return the virtual address of each page of each block."""
    chunks = heap.blocks["chunks"]
    within = np.arange(int(chunks.sum())) - np.repeat(np.cumsum(chunks) - chunks, chunks)
    found: I64 = np.repeat(heap.blocks["start"], chunks) + within * FRAME_SIZE
    return found


def bytes_of_subblocks(heap: SubblockHeap) -> HeapBytes:
    """Return what each byte of a heap is: a live run with all that rounding up added to it."""
    starts, records = heap.blocks["start"], _records(heap)
    metadata = starts + metadata_of(heap) * heap.subblock
    first, end, kind = _behind_metadata(heap)
    extents = np.empty(2 * len(starts) + len(first), dtype=EXTENT)
    extents["start"] = np.concatenate((starts, starts + records, first))
    extents["end"] = np.concatenate((starts + records, metadata, end))
    extents["kind"] = np.concatenate(
        (np.full(len(starts), ByteKind.HEADER), np.full(len(starts), ByteKind.PADDING), kind)
    )
    extents = extents[extents["start"] < extents["end"]]
    ascending = np.lexsort((extents["end"], extents["start"]))
    pages = np.sort(pages_of(heap)).astype(np.uint64)
    return HeapBytes(heap.name, pages, extents[ascending])


def _records(heap: SubblockHeap) -> I64:
    """Return how many bytes each block's header and map take."""
    found: I64 = heap.map_offset + np.diff(heap.borders)
    return found


def _behind_metadata(heap: SubblockHeap) -> tuple[I64, I64, npt.NDArray[np.uint8]]:
    """Return virtual start, end and kind of the runs, as far as they lie behind the metadata."""
    runs = runs_of(heap)
    runs = runs.where(runs.end - heap.borders[runs.block] > metadata_of(heap)[runs.block])
    bounds = heap.borders[runs.block] + metadata_of(heap)[runs.block]
    start = addresses_of(heap, np.maximum(runs.first, bounds))
    length = (runs.end - np.maximum(runs.first, bounds)) * heap.subblock
    return start, start + length, _KINDS[np.minimum(runs.value, SubblockValue.COLOUR)]


_KINDS = np.array([ByteKind.FREE, ByteKind.HEADER, ByteKind.LIVE], dtype=np.uint8)
"""By a map's value; every colour is the last one."""
