"""What the map of a block of sub-blocks says: its runs, and with them what each byte is."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from harness.decode.belief.heaps import (
    EXTENT,
    ByteKind,
    HeapBytes,
    SubblockBlock,
    SubblockHeap,
    SubblockValue,
)
from harness.decode.belief.paging import FRAME_SIZE


def metadata_of(heap: SubblockHeap, block: SubblockBlock) -> int:
    """Return how many sub-blocks at a block's start its header and its map take."""
    return -(-_records(block) // heap.subblock)


def live_runs(block: SubblockBlock) -> npt.NDArray[np.int64]:
    """Return those of a block's runs that are allocations, as far as colours tell them apart."""
    runs = block.runs
    return runs[runs[:, 2] >= SubblockValue.COLOUR]


def bytes_of_subblocks(heap: SubblockHeap) -> HeapBytes:
    """Return what each byte of a heap is: a live run with all that rounding up added to it."""
    pages = [block.start + FRAME_SIZE * np.arange(block.chunks) for block in heap.blocks]
    parts = [_extents(heap, block) for block in heap.blocks]
    return HeapBytes(
        heap.name,
        np.sort(np.concatenate(pages)).astype(np.uint64) if pages else np.empty(0, np.uint64),
        np.sort(np.concatenate(parts), order=("start", "end")) if parts else np.empty(0, EXTENT),
    )


def _records(block: SubblockBlock) -> int:
    """Return how many bytes a block's header and map take."""
    return block.map_offset + len(block.map)


def _extents(heap: SubblockHeap, block: SubblockBlock) -> npt.NDArray[np.void]:
    """Return the records, what is left of their last sub-block, and the runs behind that."""
    records, metadata = _records(block), metadata_of(heap, block)
    runs = block.runs
    runs = runs[runs[:, 1] > metadata]
    found = np.empty(2 + len(runs), dtype=EXTENT)
    found["start"][:2] = block.start, block.start + records
    found["end"][:2] = block.start + records, block.start + metadata * heap.subblock
    found["kind"][:2] = ByteKind.HEADER, ByteKind.PADDING
    found["start"][2:] = block.start + np.maximum(runs[:, 0], metadata) * heap.subblock
    found["end"][2:] = block.start + runs[:, 1] * heap.subblock
    found["kind"][2:] = _KINDS[np.minimum(runs[:, 2], SubblockValue.COLOUR)]
    full: npt.NDArray[np.void] = found[found["start"] < found["end"]]
    return full


_KINDS = np.array([ByteKind.FREE, ByteKind.HEADER, ByteKind.LIVE], dtype=np.uint8)
"""By a map's value; every colour is the last one."""
