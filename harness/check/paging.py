"""Page tables: what is mapped must be exactly what the kernel promised, rights included."""

from __future__ import annotations

from functools import partial

import numpy as np
import numpy.typing as npt

from harness.check.findings import Findings, WordOf
from harness.check.ledger import FREE, Ledger
from harness.check.linear import (
    GLOBAL,
    PRESENT,
    UNCACHED,
    USER,
    USER_ENTRY,
    WRITABLE,
    WRONG_FRAME,
    LinearMap,
    PageCodes,
)
from harness.check.model import Model
from harness.check.pages import heap_range, mapped_pages
from harness.check.places import entry_place
from harness.check.runs import FRAME_SIZE, Mask
from harness.check.user_pages import by_hand
from harness.check.violation import Violation
from harness.decode.belief.paging import ControlRegisters, PageTables
from harness.decode.state import MemoryState

CR0_WP = 1 << 16
"""Supervisor writes obey read-only pages: SDM volume 3, section 2.5."""
CR0_PG = 1 << 31
CR4_PGE = 1 << 7
"""Global pages: SDM volume 3, sections 2.5 and 4.10.2.4."""
ENTRY_GLOBAL = 1 << 8
ENTRY_USER = 1 << 2
ENTRY_UNCACHED = 1 << 3 | 1 << 4
"""The G, U/S, and PWT and PCD bits of an entry that maps a page: SDM volume 3, tables 4-4 and
4-6."""


def check_paging(model: Model, state: MemoryState, ledger: Ledger) -> tuple[Violation, ...]:
    """Report where the page walk differs from what ``model``'s description promises."""
    findings = Findings("paging")
    if model.linear:
        _check_registers(findings, state)
    _check_sharing(findings, state.page_tables)
    global_on = bool(state.registers.cr4 & CR4_PGE)
    for linear in model.linear:
        _check_linear(findings, model, linear, state.page_tables, global_on)
    if model.linear:
        _check_elsewhere(findings, model, state, ledger)
    return findings.result()


def _check_registers(findings: Findings, state: MemoryState) -> None:
    registers: ControlRegisters = state.registers
    if not registers.cr0 & CR0_PG:
        findings.add("off", "CR0.PG is clear: paging is off", ("V8",))
    if not registers.cr0 & CR0_WP:
        message = "CR0.WP is clear: the kernel can write to its own read-only pages"
        findings.add("write-protect", message, ("V8",))
    entries = state.page_tables.mappings["entry"]
    if not registers.cr4 & CR4_PGE and (entries & np.uint64(ENTRY_GLOBAL)).any():
        message = "entries are marked as global, but CR4.PGE is clear: they are not"
        findings.add("global-off", message, ("V8",))


def _check_sharing(findings: Findings, tables: PageTables) -> None:
    """A table that two entries point to shows its pages twice; the root may map itself."""
    reached = tables.tables[tables.tables != tables.root]
    once, counts = np.unique(reached, return_counts=True)
    for table in once[counts > 1].tolist():
        places = tables.table_virtual[tables.tables == table].tolist()
        message = (
            f"the table at physical 0x{table:x} is reached more than once: "
            f"for virtual 0x{places[0]:x} and 0x{places[1]:x}"
        )
        findings.add("shared-table", message, ("V4", "V7"), table)


def _check_linear(
    findings: Findings, model: Model, linear: LinearMap, tables: PageTables, global_on: bool
) -> None:
    expected = linear.expected(model.usable, model.image, global_on)
    found = _found(linear, tables)
    if np.array_equal(expected, found):
        return
    _check_presence(findings, linear, (expected, found), tables)
    both = (expected & found & PRESENT).astype(np.bool_)
    first = linear.pages.start
    wrong = both & ((found & WRONG_FRAME) != 0)
    what = f"mapped to [another frame|other frames] than the {linear.name} promises"
    place = partial(entry_place, tables)
    findings.add_pages("wrong-frame", wrong, what, ("V7",), first, place)
    for bit, kind, words in (
        (WRITABLE, "writable", "writable"),
        (USER, "user", "accessible to user programs"),
        (GLOBAL, "global", "global"),
    ):
        _check_right(
            *(findings, linear, (both, expected & np.uint8(bit), found & np.uint8(bit))),
            *(kind, words, place),
        )
    uncached = both & ((found & UNCACHED) != 0)
    findings.add_pages("uncached", uncached, _UNCACHED, ("V7",), first, place)
    if not linear.user:
        lax = both & ((found & USER_ENTRY) != 0)
        findings.add_pages("user-entry", lax, _USER_ENTRY, ("V7",), first, place)


_UNCACHED = "RAM, but not cached as such: PCD or PWT is set"
_USER_ENTRY = (
    "closed to user programs only by the level above: U/S is set in [its entry|the entries]"
)


_SETS = {"usable": "usable RAM", "image": "the kernel's image", "all": "in it"}


def _check_presence(
    findings: Findings,
    linear: LinearMap,
    codes: tuple[PageCodes, PageCodes],
    tables: PageTables,
) -> None:
    expected, found = codes
    place = partial(entry_place, tables)
    must, are = (expected & PRESENT) != 0, (found & PRESENT) != 0
    first = linear.pages.start
    what = f"not mapped, but [belongs|belong] to the {linear.name}"
    findings.add_pages("missing", must & ~are, what, ("V7",), first, place)
    extra = are & ~must
    for name, pages in linear.exceptions:
        part = linear.within(pages)
        what = f"mapped, but must be left out of the {linear.name} ({name})"
        findings.add_pages("guard", extra[part], what, ("V7",), first + part.start, place)
        extra[part] = False
    sets = " nor ".join(_SETS[name] for name in linear.sets)
    neither = "neither" if len(linear.sets) > 1 else "not"
    what = f"mapped in the {linear.name}, but [its frame is|their frames are] {neither} {sets}"
    findings.add_pages("extra", extra, what, ("V1", "V7"), first, place)


def _check_right(
    findings: Findings,
    linear: LinearMap,
    codes: tuple[Mask, PageCodes, PageCodes],
    kind: str,
    words: str,
    place: WordOf,
) -> None:
    both, expected, found = codes
    too_much = both & (found > expected)
    too_little = both & (found < expected)
    first = linear.pages.start
    findings.add_pages(kind, too_much, f"{words}, but must not be", ("V7",), first, place)
    what = f"not {words}, but must be"
    findings.add_pages(f"not-{kind}", too_little, what, ("V7",), first, place)


def _found(linear: LinearMap, tables: PageTables) -> PageCodes:
    """Return what each page of a linear map is by the walk."""
    codes = np.zeros(len(linear.pages), dtype=np.uint8)
    pages = mapped_pages(tables, linear.pages)
    rights = _rights(pages.entries)[pages.mapping]
    rights[pages.frame != pages.page] |= WRONG_FRAME
    codes[pages.page] = rights
    return codes


def _rights(entries: npt.NDArray[np.void]) -> PageCodes:
    rights = np.full(len(entries), PRESENT, dtype=np.uint8)
    for field, bit in (("writable", WRITABLE), ("user", USER), ("global_", GLOBAL)):
        rights |= entries[field] * np.uint8(bit)
    bits = entries["entry"].astype(np.uint8)
    rights |= ((bits & ENTRY_UNCACHED) != 0) * np.uint8(UNCACHED)
    rights |= ((bits & ENTRY_USER) != 0) * np.uint8(USER_ENTRY)
    rights[entries["user"]] &= ~np.uint8(USER_ENTRY)
    return rights


def _check_elsewhere(findings: Findings, model: Model, state: MemoryState, ledger: Ledger) -> None:
    """Check what lies outside linear maps: windows may hold anything, the rest must be known."""
    mappings = state.page_tables.mappings
    page = (mappings["virtual"] // FRAME_SIZE).astype(np.int64)
    outside = np.ones(len(mappings), dtype=np.bool_)
    for linear in model.linear:
        outside &= (page < linear.pages.start) | (page >= linear.pages.stop)
    others, page = mappings[outside], page[outside]
    user = (page >= model.user.start) & (page < model.user.stop)
    if state.address_spaces is None:
        _check_user_space(findings, others[user], ledger)
    for space in state.address_spaces.spaces if state.address_spaces else ():
        _check_user_space(findings, by_hand(space), ledger)
    _check_kernel_space(findings, model, state, others[~user])


def _check_kernel_space(
    findings: Findings, model: Model, state: MemoryState, others: npt.NDArray[np.void]
) -> None:
    known = [*model.windows, *(heap_range(heap) for heap in state.heaps)]
    page = (others["virtual"] // FRAME_SIZE).astype(np.int64)
    stray = np.ones(len(others), dtype=np.bool_)
    for pages in known:
        stray &= (page < pages.start) | (page >= pages.stop)
    what = "mapped, but nothing is promised to be there"
    report_mappings(findings, "stray", others[stray], what, "V7")
    what = "the kernel's, but accessible to user programs"
    report_mappings(findings, "user", others[others["user"]], what, "V7")
    lax = (others["entry"] & np.uint64(ENTRY_USER)) != 0
    report_mappings(findings, "user-entry", others[lax & ~others["user"]], _USER_ENTRY, "V7")


def _check_user_space(findings: Findings, others: npt.NDArray[np.void], ledger: Ledger) -> None:
    """In user space only frames may be mapped that somebody took for that purpose."""
    frames = (others["physical"] // FRAME_SIZE).astype(np.int64)
    held = np.zeros(len(others), dtype=np.bool_)
    known = frames < len(ledger.owners)
    for name in ledger.recorded:
        held[known] |= ledger.owned_by(name)[frames[known]]
    free = np.zeros(len(others), dtype=np.bool_)
    free[known] = ledger.owned_by(FREE)[frames[known]]
    what = "mapped in user space to [a frame that is|frames that are] free"
    report_mappings(findings, "maps-free", others[free], what, "V4", "V7")
    what = "mapped in user space, but [its frame was|their frames were] not given to anybody"
    report_mappings(findings, "user-space", others[~free & ~held], what, "V7")


def report_mappings(
    findings: Findings, kind: str, entries: npt.NDArray[np.void], what: str, *breaks: str
) -> None:
    """Report runs of mappings that follow each other in virtual addresses."""
    if not len(entries):
        return
    start = (entries["virtual"] // FRAME_SIZE).astype(np.int64)
    end = start + (entries["size"] // FRAME_SIZE).astype(np.int64)
    heads = np.concatenate(([True], start[1:] != end[:-1]))
    tails = np.concatenate((heads[1:], [True]))
    rows = np.stack((start[heads], end[tails]), axis=1)
    places = dict(zip(start.tolist(), entries["entry_address"].tolist(), strict=True))
    findings.add_page_runs(kind, rows, what, breaks, places.get)
