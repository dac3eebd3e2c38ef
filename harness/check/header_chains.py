"""Heaps of blocks one behind the other: headers, borders, pages and counters."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from harness.check.findings import Findings
from harness.check.pages import ABSENT, frames_behind
from harness.check.runs import FRAME_SIZE, counted
from harness.check.violation import Violation
from harness.decode.belief.heaps import HeaderChain
from harness.decode.belief.paging import PageTables
from harness.decode.state import MemoryState

ADDRESS_SPACE = 1 << 32
MOST_PAGES = 1 << 20
"""Pages of one heap that are looked at: all that there is address space for."""


def check_header_chains(state: MemoryState) -> tuple[Violation, ...]:
    """Report overwritten headers, blocks that overlap, wrong back links, pages and counters."""
    findings = Findings("header-chain")
    for chain in state.header_chains:
        _check_magic(findings, chain)
        _check_back_links(findings, chain)
        _check_borders(findings, chain)
        _check_end(findings, chain)
        _check_merged(findings, chain)
        _check_pages(findings, chain, state.page_tables)
        _check_counters(findings, chain)
    return findings.result()


def chain_frames(chain: HeaderChain, tables: PageTables) -> npt.NDArray[np.int64]:
    """Return the frames behind the pages that a heap's blocks touch, one element a page."""
    frames = frames_behind(tables, _pages(chain))
    found: npt.NDArray[np.int64] = frames[frames != ABSENT]
    return found


def _ends(chain: HeaderChain) -> npt.NDArray[np.int64]:
    """Return the address behind each block's bytes, at most that of the whole address space."""
    blocks = chain.blocks
    size = np.clip(blocks["size"], 0, ADDRESS_SPACE)
    ends: npt.NDArray[np.int64] = blocks["header"] + chain.header_size + size
    return np.minimum(ends, ADDRESS_SPACE)


def _pages(chain: HeaderChain) -> npt.NDArray[np.int64]:
    """Return the virtual addresses of the pages that the blocks touch, ascending, each once."""
    touched = np.zeros(MOST_PAGES + 1, dtype=np.int64)
    np.add.at(touched, chain.blocks["header"] // FRAME_SIZE, 1)
    np.add.at(touched, -(-_ends(chain) // FRAME_SIZE), -1)
    pages: npt.NDArray[np.int64] = np.flatnonzero(np.cumsum(touched)) * FRAME_SIZE
    return pages


def _named(chain: HeaderChain, index: int) -> tuple[str, int]:
    block = chain.blocks[index]
    address = int(block["header"])
    size = counted(int(block["size"]), "byte")
    return f"the block of {chain.name} at virtual 0x{address:x} ({size})", address


def _report(
    findings: Findings,
    chain: HeaderChain,
    kind: str,
    wrong: npt.NDArray[np.bool_],
    what: str,
    properties: tuple[str, ...],
) -> None:
    def describe(index: int) -> tuple[str, int]:
        name, address = _named(chain, index)
        return f"{name} {what}", address

    findings.add_each(kind, np.flatnonzero(wrong), describe, properties, physical=False)


def _check_magic(findings: Findings, chain: HeaderChain) -> None:
    wrong = ~chain.blocks["good"]
    _report(findings, chain, "magic", wrong, "has an overwritten magic number", ("V5", "V9"))


def _check_back_links(findings: Findings, chain: HeaderChain) -> None:
    blocks = chain.blocks
    expected = np.concatenate(([0], blocks["header"][:-1]))
    wrong = (blocks["previous"] >= 0) & (blocks["previous"] != expected[: len(blocks)])
    _report(findings, chain, "previous", wrong, "does not lead back to the one before it", ("V5",))


def _check_borders(findings: Findings, chain: HeaderChain) -> None:
    """Blocks must not reach into one another, in whatever order they are linked."""
    headers, ends = chain.blocks["header"], _ends(chain)
    ascending = np.argsort(headers, kind="stable")
    reach = np.maximum.accumulate(ends[ascending]) if len(ends) else ends
    inside = headers[ascending][1:] < reach[:-1]
    wrong = np.zeros(len(headers), dtype=np.bool_)
    wrong[ascending[1:][inside]] = True
    _report(findings, chain, "overlap", wrong, "begins within another block", ("V4", "V5"))
    if chain.end is not None:
        beyond = ends > (chain.end or ADDRESS_SPACE)
        what = f"ends beyond the heap, at virtual 0x{chain.end:x}"
        _report(findings, chain, "beyond", beyond, what, ("V5", "V9"))


def _check_end(findings: Findings, chain: HeaderChain) -> None:
    if chain.end is None or not len(chain.blocks):
        return
    last = int(_ends(chain).max())
    if last < (chain.end or ADDRESS_SPACE):
        message = (
            f"the blocks of {chain.name} end at virtual 0x{last:x}, the heap at 0x{chain.end:x}"
        )
        findings.add("end", message, ("V3", "V5"), last, physical=False)


def _check_merged(findings: Findings, chain: HeaderChain) -> None:
    free = ~chain.blocks["used"]
    if not chain.merged or len(free) < 2:
        return
    after = free[1:] & free[:-1] & (_ends(chain)[:-1] == chain.blocks["header"][1:])
    wrong = np.concatenate(([False], after))
    _report(findings, chain, "unmerged", wrong, "is free and so is the one before it", ("V5",))


def _check_pages(findings: Findings, chain: HeaderChain, tables: PageTables) -> None:
    if tables.mode == "none":
        return
    pages = _pages(chain)
    absent = pages[frames_behind(tables, pages) == ABSENT]

    def describe(page: int) -> tuple[str, int]:
        return f"blocks of {chain.name} lie in the page at virtual 0x{page:x}, not mapped", page

    findings.add_each("unmapped", absent, describe, ("V7", "V11"), physical=False)


def _check_counters(findings: Findings, chain: HeaderChain) -> None:
    used = chain.blocks[chain.blocks["used"]]
    counters: Iterable[tuple[str, int | None, int]] = (
        ("used blocks", chain.live, len(used)),
        ("bytes in them", chain.bytes, int(used["size"].sum())),
    )
    for what, count, right in counters:
        if count is not None and count != right:
            message = f"{chain.name} counts {count} {what}, but it has {right}"
            findings.add("counter", message, ("V6",))
