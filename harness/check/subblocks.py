"""Heaps of sub-blocks: maps, colours and counters against each other."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from harness.check.findings import Findings
from harness.check.pages import mapped_pages
from harness.check.runs import FRAME_SIZE, counted
from harness.check.violation import Violation
from harness.decode.belief.heaps import SubblockBlock, SubblockHeap, SubblockValue
from harness.decode.belief.paging import PageTables
from harness.decode.state import MemoryState
from harness.decode.subblock_map import live_runs, metadata_of

COLOURS = 3
"""The smallest colour that neither of two neighbours has is one of so many."""


def check_subblock_heaps(state: MemoryState) -> tuple[Violation, ...]:
    """Report maps that cannot be, and counters that differ from what the maps say."""
    findings = Findings("subblock")
    for heap in state.subblock_heaps:
        _check_overlap(findings, heap)
        for block in heap.blocks:
            _check_metadata(findings, heap, block)
            _check_colours(findings, heap, block)
            _check_free(findings, heap, block)
            _check_longest(findings, heap, block)
        _check_empty(findings, heap)
        _check_counters(findings, heap)
    return findings.result()


def subblock_frames(heap: SubblockHeap, tables: PageTables) -> npt.NDArray[np.int64]:
    """Return the frames behind a heap's blocks, one element a mapped page."""
    parts = [mapped_pages(tables, _pages(block)).frame for block in heap.blocks]
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)


def _pages(block: SubblockBlock) -> range:
    first = block.start // FRAME_SIZE
    return range(first, first + block.chunks)


def _named(heap: SubblockHeap, block: SubblockBlock) -> str:
    size = counted(block.chunks, "chunk")
    return f"the block of {heap.name} at virtual 0x{block.start:x} ({size})"


def _at(heap: SubblockHeap, block: SubblockBlock, index: int) -> str:
    address = block.start + index * heap.subblock
    return f"sub-block {index} (virtual 0x{address:x}) of {_named(heap, block)}"


def _check_overlap(findings: Findings, heap: SubblockHeap) -> None:
    """No page is in two blocks."""
    in_order = sorted(heap.blocks, key=lambda block: block.start)
    for below, above in pairwise(in_order):
        if below.start + below.chunks * FRAME_SIZE > above.start:
            message = f"{_named(heap, above)} lies within {_named(heap, below)}"
            findings.add("overlap", message, ("V4", "V5"), above.start, physical=False)


def _check_metadata(findings: Findings, heap: SubblockHeap, block: SubblockBlock) -> None:
    """The header and the map are metadata in the map, and nothing else is."""
    wanted = np.arange(len(block.map)) < metadata_of(heap, block)
    wrong = np.flatnonzero((block.map == SubblockValue.METADATA) != wanted)
    if not len(wrong):
        return
    first = int(wrong[0])
    what = "holds the block's records, but is not" if wanted[first] else "is no record, but"
    message = f"{_at(heap, block, first)} {what} marked as metadata in the map"
    if len(wrong) > 1:
        message += f"; so it is with {len(wrong)} in all"
    _add(findings, "metadata", message, ("V4", "V5"), block, first)


def _add(
    findings: Findings,
    kind: str,
    message: str,
    breaks: tuple[str, ...],
    block: SubblockBlock,
    index: int = 0,
) -> None:
    """Report at the byte of the map that is about sub-block ``index``."""
    findings.add(kind, message, breaks, block.start + block.map_offset + index, physical=False)


def _check_colours(findings: Findings, heap: SubblockHeap, block: SubblockBlock) -> None:
    highest = SubblockValue.COLOUR + COLOURS - 1
    for index in np.flatnonzero(block.map > highest).tolist():
        message = (
            f"{_at(heap, block, index)} has the colour {block.map[index]}, "
            f"but no allocation needs one above {highest}"
        )
        _add(findings, "colour", message, ("V5", "V9"), block, index)


def _check_free(findings: Findings, heap: SubblockHeap, block: SubblockBlock) -> None:
    free = int(np.count_nonzero(block.map == SubblockValue.FREE))
    if block.free != free:
        message = (
            f"{_named(heap, block)} counts {counted(block.free, 'free sub-block')}, "
            f"but its map says {free}"
        )
        findings.add("free", message, ("V6",), block.start, physical=False)


def _check_longest(findings: Findings, heap: SubblockHeap, block: SubblockBlock) -> None:
    """A bound that is too low hides free sub-blocks from whoever looks for them."""
    if block.longest is None:
        return
    runs = block.runs
    lengths = (runs[:, 1] - runs[:, 0])[runs[:, 2] == SubblockValue.FREE]
    longest, room = int(lengths.max(initial=0)), len(block.map) - metadata_of(heap, block)
    if not longest <= block.longest <= room:
        message = (
            f"{_named(heap, block)} says that it has no more than {block.longest} free sub-blocks "
            f"in a row, but it has {longest}, and room for {room}"
        )
        findings.add("longest", message, ("V3", "V5"), block.start, physical=False)


def _is_empty(block: SubblockBlock) -> bool:
    return not bool((block.map >= SubblockValue.COLOUR).any())


def _check_empty(findings: Findings, heap: SubblockHeap) -> None:
    """A block with nothing in it goes back, but the one of a single chunk that is kept."""
    if heap.spare is None:
        return
    empty = [block for block in heap.blocks if _is_empty(block)]
    for block in empty:
        if block.start != heap.spare or block.chunks != 1:
            message = f"{_named(heap, block)} has nothing in it, and was not given back"
            findings.add("empty", message, ("V3",), block.start, physical=False)
    if heap.spare and heap.spare not in [block.start for block in empty]:
        message = f"{heap.name} keeps virtual 0x{heap.spare:x} as its empty block, which is none"
        findings.add("spare", message, ("V4", "V5"), heap.spare, physical=False)


def _check_counters(findings: Findings, heap: SubblockHeap) -> None:
    live = [live_runs(block) for block in heap.blocks]
    apart = sum(len(runs) for runs in live)
    if heap.live is not None and heap.live != apart:
        message = (
            f"{heap.name} counts {counted(heap.live, 'allocation')}, but its maps tell {apart} "
            f"apart: neighbours may share a colour"
        )
        findings.add("live", message, ("V4", "V6"))
    others = (
        ("used sub-blocks", heap.used, sum(int((runs[:, 1] - runs[:, 0]).sum()) for runs in live)),
        ("chunks", heap.held, sum(block.chunks for block in heap.blocks)),
    )
    for name, count, right in others:
        if count is not None and count != right:
            message = f"the counter of {heap.name}'s {name} says {count}, but it must be {right}"
            findings.add("counter", message, ("V6",))
