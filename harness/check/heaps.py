"""Heaps with headers, and the virtual areas that they are cut from."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from harness.check.findings import Findings
from harness.check.pages import ABSENT, heap_range, mapped_pages, page_frames, used_pages
from harness.check.paging import ENTRY_UNCACHED
from harness.check.places import entry_place
from harness.check.runs import FRAME_SIZE, counted, frames_in_words
from harness.check.violation import Violation
from harness.decode.belief.heaps import Heap, HeapArea, HeapBlock
from harness.decode.belief.paging import PageTables
from harness.decode.state import MemoryState


def check_heaps(state: MemoryState) -> tuple[Violation, ...]:
    """Report areas, headers, mappings and counters of each heap that contradict each other."""
    findings = Findings("heap")
    for heap in state.heaps:
        _check_partition(findings, heap)
        for area in heap.areas:
            _check_area(findings, heap, area)
        _check_mappings(findings, heap, state.page_tables)
        _check_rights(findings, heap, state.page_tables)
        _check_counters(findings, heap)
    return findings.result()


def _end(area: HeapArea) -> int:
    return area.start + area.pages * FRAME_SIZE


def _check_partition(findings: Findings, heap: Heap) -> None:
    """The areas must follow each other from the heap's start to its end without a gap."""
    position = heap.start
    for area in heap.areas:
        if area.start != position:
            kind = "gap" if area.start > position else "overlap"
            message = (
                f"{_named(heap, area)} must begin at virtual 0x{position:x}, "
                f"where the area before it ends"
            )
            breaks = ("V3", "V5") if kind == "gap" else ("V4", "V5")
            findings.add(kind, message, breaks, area.start, physical=False)
        position = _end(area)
    if position != heap.end:
        message = (
            f"the areas of {heap.name} end at virtual 0x{position:x}, "
            f"but the heap at virtual 0x{heap.end:x}"
        )
        findings.add("end", message, ("V3", "V5"), position, physical=False)
    for before, after in pairwise(heap.areas):
        if not before.used and not after.used:
            message = f"{_named(heap, after)} is free and so is the one before it: not joined"
            findings.add("unmerged", message, ("V5",), after.start, physical=False)


def _named(heap: Heap, area: HeapArea) -> str:
    return f"the area of {heap.name} at virtual 0x{area.start:x} ({counted(area.pages, 'page')})"


def _check_area(findings: Findings, heap: Heap, area: HeapArea) -> None:
    if area.pages <= 0:
        message = f"{_named(heap, area)} is empty"
        findings.add("empty", message, ("V5",), area.start, physical=False)
    if area.used and area.block is None and heap.header_size:
        message = f"{_named(heap, area)} is used, but its header is not mapped"
        findings.add("header", message, ("V5", "V7"), area.start, physical=False)
    if area.used and area.block is not None:
        _check_block(findings, heap, area, area.block)


def _check_block(findings: Findings, heap: Heap, area: HeapArea, block: HeapBlock) -> None:
    words = f"the header at virtual 0x{block.header:x} of {_named(heap, area)}"
    if not block.magic_good:
        magic, message = block.magic, f"{words} has a wrong magic number"
        if magic is not None:
            message += (
                f": 0x{magic.found:x} at virtual 0x{magic.address:x}, "
                f"where 0x{magic.wanted:x} must be"
            )
        address = block.header if magic is None else magic.address
        findings.add("magic", message, ("V5", "V9"), address, physical=False)
        return
    pages = -(-(block.size + heap.header_size) // FRAME_SIZE)
    if pages != area.pages or block.size == 0:
        needed = counted(pages, "page")
        message = f"{words} says {counted(block.size, 'byte')}, which with the header need {needed}"
        findings.add("size", message, ("V5", "V9"), block.header, physical=False)


def _check_mappings(findings: Findings, heap: Heap, tables: PageTables) -> None:
    used, frames = used_pages(heap), page_frames(heap, tables)
    mapped, first = frames != ABSENT, heap_range(heap).start
    what = f"in a used area of {heap.name}, but not mapped"
    findings.add_pages("unmapped", used & ~mapped, what, ("V7",), first)
    what = f"in no used area of {heap.name}, but mapped"
    findings.add_pages("mapped-free", mapped & ~used, what, ("V3", "V7"), first)
    once, counts = np.unique(frames[mapped], return_counts=True)
    for frame in once[counts > 1].tolist():
        pages = (np.flatnonzero(frames == frame) + first) * FRAME_SIZE
        message = (
            f"{frames_in_words(frame, frame + 1)} is behind {len(pages)} pages of {heap.name}: "
            f"virtual 0x{pages[0]:x} and 0x{pages[1]:x}"
        )
        word = entry_place(tables, int(pages[-1]) // FRAME_SIZE)
        findings.add("shared-frame", message, ("V4",), frame * FRAME_SIZE, word=word)


def _check_rights(findings: Findings, heap: Heap, tables: PageTables) -> None:
    pages = mapped_pages(tables, heap_range(heap))
    writable = pages.entries["writable"][pages.mapping]
    read_only = np.zeros(len(heap_range(heap)), dtype=np.bool_)
    read_only[pages.page[~writable]] = True
    first = heap_range(heap).start
    findings.add_pages("read-only", read_only, f"{heap.name}'s, but read-only", ("V7",), first)
    caching = pages.entries["entry"][pages.mapping] & np.uint64(ENTRY_UNCACHED)
    uncached = np.zeros(len(heap_range(heap)), dtype=np.bool_)
    uncached[pages.page[caching != 0]] = True
    what = f"{heap.name}'s, but not cached as RAM is: PCD or PWT is set"
    findings.add_pages("uncached", uncached, what, ("V7",), first)


def _check_counters(findings: Findings, heap: Heap) -> None:
    used = [area for area in heap.areas if area.used]
    counted = (
        ("blocks", heap.blocks, len(used)),
        ("bytes", heap.bytes, sum(area.block.size for area in used if area.block)),
        ("frames", heap.frames, sum(area.pages for area in used)),
    )
    for name, count, right in counted:
        if count is not None and count != right:
            message = (
                f"the counter of {heap.name}'s live {name} says {count}, but it must be {right}"
            )
            findings.add("counter", message, ("V6",))
