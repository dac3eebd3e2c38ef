"""Heaps of sub-blocks: maps, colours and counters against each other."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from harness.check.findings import Findings
from harness.check.pages import ABSENT, frames_behind
from harness.check.runs import FRAME_SIZE, counted
from harness.check.violation import Violation
from harness.decode.belief.heaps import SubblockHeap, SubblockValue
from harness.decode.belief.paging import PageTables
from harness.decode.state import MemoryState
from harness.decode.subblock_map import (
    Runs,
    addresses_of,
    block_of,
    metadata_of,
    pages_of,
    runs_of,
)

COLOURS = 3
"""The smallest colour that neither of two neighbours has is one of so many."""

I64 = npt.NDArray[np.int64]


def check_subblock_heaps(state: MemoryState) -> tuple[Violation, ...]:
    """Report maps that cannot be, and counters that differ from what the maps say."""
    findings = Findings("subblock")
    for heap in state.subblock_heaps:
        runs = runs_of(heap)
        _check_overlap(findings, heap)
        _check_metadata(findings, heap)
        _check_colours(findings, heap)
        _check_free(findings, heap)
        _check_longest(findings, heap, runs)
        _check_empty(findings, heap, runs)
        _check_counters(findings, heap, runs)
    return findings.result()


def subblock_frames(heap: SubblockHeap, tables: PageTables) -> I64:
    """Return the frames behind a heap's blocks, one element a mapped page."""
    frames = frames_behind(tables, pages_of(heap))
    found: I64 = frames[frames != ABSENT]
    return found


def _named(heap: SubblockHeap, block: int) -> str:
    start, chunks = (int(heap.blocks[name][block]) for name in ("start", "chunks"))
    return f"the block of {heap.name} at virtual 0x{start:x} ({counted(chunks, 'chunk')})"


def _at(heap: SubblockHeap, index: int) -> str:
    block, address = int(block_of(heap, np.array(index))), int(addresses_of(heap, np.array(index)))
    within = index - int(heap.borders[block])
    return f"sub-block {within} (virtual 0x{address:x}) of {_named(heap, block)}"


def _map_byte(heap: SubblockHeap, index: int) -> int:
    """Return the virtual address of the byte that is at ``index`` in the heap's map."""
    block = int(block_of(heap, np.array(index)))
    return int(heap.blocks["start"][block] + heap.map_offset + index - heap.borders[block])


def _start(heap: SubblockHeap, block: int) -> int:
    return int(heap.blocks["start"][block])


def _check_overlap(findings: Findings, heap: SubblockHeap) -> None:
    """No page is in two blocks."""
    order = np.argsort(heap.blocks["start"], kind="stable")
    starts = heap.blocks["start"][order]
    ends = starts + heap.blocks["chunks"][order] * FRAME_SIZE

    def describe(at: int) -> tuple[str, int]:
        below, above = int(order[at]), int(order[at + 1])
        message = f"{_named(heap, above)} lies within {_named(heap, below)}"
        return message, _start(heap, above)

    found = np.flatnonzero(ends[:-1] > starts[1:])
    findings.add_each("overlap", found, describe, ("V4", "V5"), physical=False)


def _check_metadata(findings: Findings, heap: SubblockHeap) -> None:
    """The header and the map are metadata in the map, and nothing else is."""
    depth = np.zeros(len(heap.map) + 1, dtype=np.int8)
    depth[heap.borders[:-1]] += 1
    depth[heap.borders[:-1] + metadata_of(heap)] -= 1
    wanted = np.cumsum(depth[:-1], dtype=np.int8) != 0
    wrong = np.flatnonzero((heap.map == SubblockValue.METADATA) != wanted)
    _, firsts, counts = np.unique(block_of(heap, wrong), return_index=True, return_counts=True)

    def describe(at: int) -> tuple[str, int]:
        first, count = int(wrong[firsts[at]]), int(counts[at])
        what = "holds the block's records, but is not" if wanted[first] else "is no record, but"
        more = f"; so it is with {count} in all" if count > 1 else ""
        message = f"{_at(heap, first)} {what} marked as metadata in the map{more}"
        return message, _map_byte(heap, first)

    each = np.arange(len(firsts))
    findings.add_each("metadata", each, describe, ("V4", "V5"), physical=False)


def _check_colours(findings: Findings, heap: SubblockHeap) -> None:
    highest = SubblockValue.COLOUR + COLOURS - 1

    def describe(index: int) -> tuple[str, int]:
        message = (
            f"{_at(heap, index)} has the colour {heap.map[index]}, "
            f"but no allocation needs one above {highest}"
        )
        return message, _map_byte(heap, index)

    found = np.flatnonzero(heap.map > highest)
    findings.add_each("colour", found, describe, ("V5", "V9"), physical=False)


def _check_free(findings: Findings, heap: SubblockHeap) -> None:
    ends = np.concatenate(([0], np.cumsum(heap.map == SubblockValue.FREE)))[heap.borders]
    free = np.diff(ends)

    def describe(block: int) -> tuple[str, int]:
        message = (
            f"{_named(heap, block)} counts "
            f"{counted(int(heap.blocks['free'][block]), 'free sub-block')}, "
            f"but its map says {free[block]}"
        )
        return message, _start(heap, block)

    found = np.flatnonzero(heap.blocks["free"] != free)
    findings.add_each("free", found, describe, ("V6",), physical=False)


def _check_longest(findings: Findings, heap: SubblockHeap, runs: Runs) -> None:
    """A bound that is too low hides free sub-blocks from whoever looks for them."""
    free = runs.where(runs.value == SubblockValue.FREE)
    longest = np.zeros(len(heap.blocks), dtype=np.int64)
    np.maximum.at(longest, free.block, free.length)
    room = np.diff(heap.borders) - metadata_of(heap)
    noted = heap.blocks["longest"]

    def describe(block: int) -> tuple[str, int]:
        message = (
            f"{_named(heap, block)} says that it has no more than {noted[block]} free sub-blocks "
            f"in a row, but it has {longest[block]}, and room for {room[block]}"
        )
        return message, _start(heap, block)

    found = np.flatnonzero((noted >= 0) & ((noted < longest) | (noted > room)))
    findings.add_each("longest", found, describe, ("V3", "V5"), physical=False)


def _check_empty(findings: Findings, heap: SubblockHeap, runs: Runs) -> None:
    """A block with nothing in it goes back, but the one of a single chunk that is kept."""
    if heap.spare is None:
        return
    empty = np.ones(len(heap.blocks), dtype=np.bool_)
    empty[runs.live.block] = False

    def describe(block: int) -> tuple[str, int]:
        message = f"{_named(heap, block)} has nothing in it, and was not given back"
        return message, _start(heap, block)

    kept = (heap.blocks["start"] == heap.spare) & (heap.blocks["chunks"] == 1)
    findings.add_each("empty", np.flatnonzero(empty & ~kept), describe, ("V3",), physical=False)
    if heap.spare and heap.spare not in heap.blocks["start"][empty]:
        message = f"{heap.name} keeps virtual 0x{heap.spare:x} as its empty block, which is none"
        findings.add("spare", message, ("V4", "V5"), heap.spare, physical=False)


def _check_counters(findings: Findings, heap: SubblockHeap, runs: Runs) -> None:
    live = runs.live
    if heap.live is not None and heap.live != len(live.first):
        message = (
            f"{heap.name} counts {counted(heap.live, 'allocation')}, but its maps tell "
            f"{len(live.first)} apart: neighbours may share a colour"
        )
        findings.add("live", message, ("V4", "V6"))
    others = (
        ("used sub-blocks", heap.used, int(live.length.sum())),
        ("chunks", heap.held, int(heap.blocks["chunks"].sum())),
    )
    for name, count, right in others:
        if count is not None and count != right:
            message = f"the counter of {heap.name}'s {name} says {count}, but it must be {right}"
            findings.add("counter", message, ("V6",))
