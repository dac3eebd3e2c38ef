"""Address spaces: one kernel part for all, and user regions whose pages appear when touched.

A page of a region shows the shared page of zeros, which nobody may write to, or a frame that no
other page has. What lies in user space outside of regions was mapped by hand, and is judged with
the page tables (``paging.py``).
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from harness.check.findings import LIMIT, Findings
from harness.check.ledger import FREE, Ledger
from harness.check.model import FRAME_LIMIT
from harness.check.paging import ENTRY_GLOBAL, ENTRY_UNCACHED, report_mappings
from harness.check.runs import FRAME_SIZE, Mask, counted, frames_in_words
from harness.check.user_pages import RegionPages, region_pages
from harness.check.violation import Violation
from harness.decode.belief.spaces import AddressSpaces, MapPart, Space, UserRegion
from harness.decode.state import MemoryState

SLOT_BITS = {"32-bit": 22, "PAE": 30, "4-level": 39}
"""Bits of a virtual address that one entry of the top table translates (SDM volume 3, 4.3-4.5)."""

TRACKS = 1 << 5 | 1 << 6
"""Accessed and dirty: set by the CPU, in each directory on its own (SDM volume 3, table 4-4)."""


def check_spaces(state: MemoryState, ledger: Ledger) -> tuple[Violation, ...]:
    """Report where address spaces contradict each other, their regions or the kernel's map."""
    findings = Findings("spaces")
    spaces = state.address_spaces
    if spaces is None:
        return ()
    _check_map(findings, state, spaces.map)
    _check_current(findings, state, spaces)
    _check_kernel_parts(findings, state, spaces)
    _check_zero_page(findings, spaces, ledger)
    pages = [region_pages(spaces, space) for space in spaces.spaces]
    for found in pages:
        _check_regions(findings, spaces, found.space)
        _check_pages(findings, found)
        _check_ram(findings, found, ledger)
        _check_counters(findings, found)
        if state.page_tables.mode == "32-bit":
            _check_empty_tables(findings, found.space)
    _check_shared_tables(findings, spaces)
    _check_shared_frames(findings, pages)
    return findings.result()


def _named(space: Space) -> str:
    return f"address space {space.number}"


def _check_map(findings: Findings, state: MemoryState, parts: tuple[MapPart, ...]) -> None:
    """Parts must be apart, and whatever is mapped lies in one and has no more rights than it."""
    ascending = sorted(parts, key=lambda part: part.start)
    for low, high in pairwise(ascending):
        if high.start < low.end:
            message = f"{high.name} begins at virtual 0x{high.start:x}, within {low.name}"
            findings.add("map", message, ("V4", "V5"), high.start, physical=False)
    mappings = state.page_tables.mappings
    known, user, writable = (np.zeros(len(mappings), dtype=np.bool_) for _ in range(3))
    for part in parts:
        inside = (mappings["virtual"] >= part.start) & (
            mappings["virtual"] + mappings["size"] <= part.end
        )
        known |= inside
        user |= inside & part.user
        writable |= inside & part.writable
    what = "mapped, but in no part of the kernel's map of an address space"
    report_mappings(findings, "outside-map", mappings[~known], what, "V7")
    lax = known & ((mappings["user"] & ~user) | (mappings["writable"] & ~writable))
    what = "mapped with more rights than its part of the kernel's map has"
    report_mappings(findings, "map-rights", mappings[lax], what, "V7")


def _check_current(findings: Findings, state: MemoryState, spaces: AddressSpaces) -> None:
    current = [space for space in spaces.spaces if space.current]
    if not current:
        findings.add("current", "the current address space is not on the list", ("V5",))
    for space in current:
        if space.directory != state.page_tables.root:
            message = (
                f"{_named(space)} is the current one, but its directory 0x{space.directory:x} "
                f"is not the one in CR3, 0x{state.page_tables.root:x}"
            )
            findings.add("current", message, ("V5", "V8"), space.directory)


def _check_kernel_parts(findings: Findings, state: MemoryState, spaces: AddressSpaces) -> None:
    """All top tables have the same entries for what is not the users'."""
    readable = [space for space in spaces.spaces if len(space.entries)]
    if not readable:
        return
    first, shift = readable[0], SLOT_BITS[state.page_tables.mode]
    kernel = np.ones(len(first.entries), dtype=np.bool_)
    for part in spaces.map:
        if part.user:
            kernel[part.start >> shift : -(-part.end // (1 << shift))] = False
    for space in readable[1:]:
        different = ((space.entries ^ first.entries) & ~np.uint64(TRACKS)) != 0
        for slot in np.flatnonzero(different & kernel)[:LIMIT].tolist():
            message = (
                f"{_named(space)} has 0x{int(space.entries[slot]):x} for virtual "
                f"0x{slot << shift:x}, {_named(first)} 0x{int(first.entries[slot]):x}: "
                f"the kernel's part must be the same"
            )
            findings.add("kernel-part", message, ("V7",), slot << shift, physical=False)


def _check_zero_page(findings: Findings, spaces: AddressSpaces, ledger: Ledger) -> None:
    if spaces.zero_page is None:
        return
    frame = spaces.zero_page // FRAME_SIZE
    if frame < len(ledger.owners) and ledger.owned_by(FREE)[frame]:
        message = f"{frames_in_words(frame, frame + 1)} is the shared page of zeros, but free"
        findings.add("zero-free", message, ("V2", "V4"), spaces.zero_page)


def _check_regions(findings: Findings, spaces: AddressSpaces, space: Space) -> None:
    for region in space.regions:
        inside = any(
            part.user and part.start <= region.start and region.addresses.stop <= part.end
            for part in spaces.map
        )
        if region.start % FRAME_SIZE or region.pages <= 0 or not inside:
            message = f"{_region(space, region)} is empty, not whole pages, or not in user space"
            findings.add("region", message, ("V5",), region.start, physical=False)
    for low, high in pairwise(space.regions):
        if high.start < low.addresses.stop:
            message = f"{_region(space, high)} begins before the one in front of it ends"
            findings.add("order", message, ("V4", "V5"), high.start, physical=False)


def _region(space: Space, region: UserRegion) -> str:
    pages = counted(region.pages, "page")
    return f"the region of {_named(space)} at virtual 0x{region.start:x} ({pages})"


def _check_pages(findings: Findings, found: RegionPages) -> None:
    """The page of zeros is read-only, a frame of a page's own is not; both are the users'."""
    entries, name = found.entries, _named(found.space)
    writable = entries["writable"]
    raw = entries["entry"]
    what = f"the shared page of zeros, and writable in {name}"
    _pages(findings, "zero-writable", found, found.zero & writable, what, "V4", "V7")
    what = f"of a user region in {name}, but read-only with a frame of [its|their] own"
    _pages(findings, "read-only", found, ~found.zero & ~writable, what, "V7")
    what = f"of a user region in {name}, but closed to user programs"
    _pages(findings, "not-user", found, ~entries["user"], what, "V7")
    what = f"of a user region in {name}, but global: other address spaces would show [it|them]"
    _pages(findings, "global", found, (raw & np.uint64(ENTRY_GLOBAL)) != 0, what, "V8")
    what = f"of a user region in {name}, but not cached as RAM is: PCD or PWT is set"
    _pages(findings, "uncached", found, (raw & np.uint64(ENTRY_UNCACHED)) != 0, what, "V7")


def _check_ram(findings: Findings, found: RegionPages, ledger: Ledger) -> None:
    """Frames that the ledger knows are accounted for there; beyond them there is no RAM."""
    beyond = found.frame >= len(ledger.owners)
    what = f"of a user region in {_named(found.space)}, but there is no RAM behind [it|them]"
    _pages(findings, "no-ram", found, beyond, what, "V1", "V7")


def _pages(
    findings: Findings, kind: str, found: RegionPages, wrong: Mask, what: str, *breaks: str
) -> None:
    if not wrong.any():
        return
    pages = found.page[wrong]
    first = int(pages[0])
    mask = np.zeros(int(pages[-1]) - first + 1, dtype=np.bool_)
    mask[pages - first] = True
    findings.add_pages(kind, mask, what, breaks, first)


def _check_counters(findings: Findings, found: RegionPages) -> None:
    regions = found.space.regions
    own = np.bincount(found.region[~found.zero], minlength=len(regions)).tolist()
    for region, frames in zip(regions, own, strict=False):
        if region.frames is not None and region.frames != frames:
            message = (
                f"{_region(found.space, region)} counts {region.frames} pages with a frame "
                f"of their own, but there are {frames}"
            )
            findings.add("counter", message, ("V6",), region.start, physical=False)


def _check_empty_tables(findings: Findings, space: Space) -> None:
    """A page table goes with its last page."""
    used = np.unique(space.user.mappings["entry_address"] // FRAME_SIZE)
    tables = space.user.tables[1:] // FRAME_SIZE
    for index in np.flatnonzero(~np.isin(tables, used)).tolist():
        table, virtual = (int(a[index + 1]) for a in (space.user.tables, space.user.table_virtual))
        message = (
            f"the page table at physical 0x{table:x} of {_named(space)}, "
            f"for virtual 0x{virtual:x}, maps nothing"
        )
        findings.add("empty-table", message, ("V3",), table)


def _check_shared_tables(findings: Findings, spaces: AddressSpaces) -> None:
    """Neither directories nor page tables of user space have two places."""
    tables = [space.user.tables for space in spaces.spaces if len(space.user.tables)]
    if not tables:
        return
    once, counts = np.unique(np.concatenate(tables), return_counts=True)
    for table in once[counts > 1][:LIMIT].tolist():
        numbers = [space.number for space in spaces.spaces if table in space.user.tables]
        names = ", ".join(map(str, numbers[:8]))
        message = f"the table at physical 0x{table:x} is in several places: of spaces {names}"
        findings.add("shared-table", message, ("V4", "V7"), table)


def _check_shared_frames(findings: Findings, pages: list[RegionPages]) -> None:
    """A frame of a page's own is behind no other page, in any space."""
    frames = np.concatenate([np.empty(0, dtype=np.int64), *(one.frame[~one.zero] for one in pages)])
    behind = np.bincount(frames[frames < FRAME_LIMIT])
    what = "behind several pages of user regions"
    findings.add_frames("shared-frame", behind > 1, what, ("V4",))
