"""The tables themselves, level by level: every present entry, equal neighbours as one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.decode.belief.paging import ControlRegisters
from harness.decode.entry_bits import EntryBits, entry_bits
from harness.decode.paging_modes import LARGE, PRESENT, Level, PagingMode, paging_mode
from harness.ram.protocol import AbsentMemory, Ram

_VOLATILE = 0x60
"""A and D, which the CPU sets: they tell no two entries apart (SDM volume 3A, 4.8)."""


@dataclass(frozen=True)
class Entries:
    """Present entries of one table, one behind the other, that differ only in where they lead."""

    depth: int
    """0 in the top table."""
    virtual: int
    """First address that they translate."""
    end: int
    count: int
    address: int
    """Physical, of the first entry."""
    entry: int
    """The first entry, raw."""
    bits: EntryBits
    """Of the first entry."""


def table_entries(
    ram: Ram, registers: ControlRegisters, within: range | None = None
) -> Iterator[Entries]:
    """Yield each entry of the top table, followed by those of the table that it leads to.

    Only entries that translate some of the virtual addresses ``within``. Without paging there are
    none.
    """
    mode = paging_mode(registers)
    if mode is not None:
        span = within or range(1 << mode.address_bits)
        yield from _table(ram, mode, 0, registers.cr3 & mode.root, 0, span)


def _table(
    ram: Ram, mode: PagingMode, depth: int, table: int, base: int, within: range
) -> Iterator[Entries]:
    level = mode.levels[depth]
    try:
        raw = ram.array(table, f"<u{mode.entry_size}", level.entries).astype(np.uint64)
    except AbsentMemory:
        return
    for index, count in _groups(raw, level):
        entry = int(raw[index])
        virtual = base + index * level.page_size
        end = virtual + count * level.page_size
        if end <= within.start or virtual >= within.stop:
            continue
        bits = entry_bits(mode, level, entry)
        yield Entries(depth, virtual, end, count, table + index * mode.entry_size, entry, bits)
        if not bits.page and not bits.reserved:
            yield from _table(ram, mode, depth + 1, bits.target, virtual, within)


def _groups(raw: npt.NDArray[np.uint64], level: Level) -> Iterator[tuple[int, int]]:
    """Yield index and number of present entries: pages that follow one another as one."""
    present = (raw & np.uint64(PRESENT)) != 0
    page = present.copy()
    if level.page is None:
        page[:] = False
    elif level.table is not None:
        page &= (raw & np.uint64(LARGE)) != 0
    plain = raw & ~np.uint64(_VOLATILE)
    follows = np.zeros(len(raw), dtype=np.bool_)
    # The address has its place in the entry: the next page's is larger by the size of a page.
    follows[1:] = (plain[1:] - plain[:-1] == level.page_size) & page[1:] & page[:-1]
    starts = np.flatnonzero(present & ~follows)
    alone = np.flatnonzero(~follows)
    ends = np.append(alone, len(raw))[np.searchsorted(alone, starts, side="right")]
    yield from zip(starts.tolist(), (ends - starts).tolist(), strict=True)
