"""The byte ledger: every byte of a heap's pages is one thing, and nothing is outside them."""

from __future__ import annotations

import numpy as np

from harness.check.findings import Findings
from harness.check.runs import FRAME_SIZE
from harness.check.violation import Violation
from harness.decode.belief.heaps import HeapBytes
from harness.decode.state import MemoryState


def check_heap_bytes(state: MemoryState) -> tuple[Violation, ...]:
    """Report bytes of heap pages that are nothing or two things, and extents elsewhere."""
    findings = Findings("heap-bytes")
    for heap in state.heap_bytes:
        _check_order(findings, heap)
        _check_cover(findings, heap)
        _check_pages(findings, heap)
    return findings.result()


def _check_pages(findings: Findings, heap: HeapBytes) -> None:
    """Each page is the heap's once."""
    for at in np.flatnonzero(np.diff(heap.pages.astype(np.int64)) <= 0).tolist():
        page = int(heap.pages[at + 1])
        message = f"the page at virtual 0x{page:x} is in {heap.name} twice"
        findings.add("page-twice", message, ("V4",), page, physical=False)


def _check_order(findings: Findings, heap: HeapBytes) -> None:
    """Extents must not overlap, and each must have bytes."""
    start = heap.extents["start"].astype(np.int64)
    end = heap.extents["end"].astype(np.int64)
    for at in np.flatnonzero(end <= start).tolist():
        message = f"{heap.name} has an extent of no bytes at virtual 0x{start[at]:x}"
        findings.add("empty", message, ("V5",), int(start[at]), physical=False)
    reached = np.maximum.accumulate(end)[:-1] if len(end) else end
    for at in np.flatnonzero(start[1:] < reached).tolist():
        message = (
            f"bytes from virtual 0x{start[at + 1]:x} of {heap.name} are two things: "
            f"what lies before them goes on to 0x{reached[at]:x}"
        )
        findings.add("overlap", message, ("V4",), int(start[at + 1]), physical=False)


def _runs(start: np.ndarray, end: np.ndarray) -> list[tuple[int, int]]:
    """Return the maximal stretches that ascending intervals cover together."""
    if not len(start):
        return []
    reached = np.maximum.accumulate(end)
    breaks = np.flatnonzero(start[1:] > reached[:-1]) + 1
    firsts, lasts = [0, *breaks.tolist()], [*(breaks - 1).tolist(), len(start) - 1]
    return [(int(start[a]), int(reached[b])) for a, b in zip(firsts, lasts, strict=True)]


def _check_cover(findings: Findings, heap: HeapBytes) -> None:
    """What the extents cover must be the pages, no less and no more."""
    pages = np.unique(heap.pages).astype(np.int64)
    covered = _runs(heap.extents["start"].astype(np.int64), heap.extents["end"].astype(np.int64))
    there = _runs(pages, pages + FRAME_SIZE)
    for start, end in _without(there, covered):
        message = f"bytes 0x{start:x}-0x{end - 1:x} (virtual) of {heap.name}'s pages are nothing"
        findings.add("gap", message, ("V3",), start, physical=False)
    for start, end in _without(covered, there):
        message = f"bytes 0x{start:x}-0x{end - 1:x} (virtual) are {heap.name}'s, in no page of it"
        findings.add("outside", message, ("V1", "V4"), start, physical=False)


def _without(whole: list[tuple[int, int]], taken: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the parts of ascending intervals that other ascending ones leave over."""
    left: list[tuple[int, int]] = []
    first = 0
    for start, end in whole:
        while first < len(taken) and taken[first][1] <= start:
            first += 1
        at = first
        while at < len(taken) and taken[at][0] < end:
            if taken[at][0] > start:
                left.append((start, taken[at][0]))
            start = max(start, taken[at][1])
            at += 1
        if start < end:
            left.append((start, end))
    return left
