"""A whole address space at once: every page that the tables map, in numpy.

The walk goes level by level over all tables of a level together, by the constants of
:mod:`harness.decode.paging_modes`. Tables that a hostile guest points anywhere, or at themselves,
end it all the same: after as many levels as the mode has, and after :data:`MAX_TABLES` tables.
Addresses of tables and entries are physical.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from harness.decode.belief.fault import DecodeFault
from harness.decode.belief.paging import MAPPING, ControlRegisters, PageTables
from harness.decode.fault_log import list_faults
from harness.decode.paging_modes import (
    CR4_PGE,
    GLOBAL,
    LARGE,
    NO_EXECUTE,
    PRESENT,
    USER,
    WRITABLE,
    EntryFormat,
    Level,
    PagingMode,
    bit_names,
    paging_mode,
)
from harness.decode.ram_map import RamMap
from harness.ram.protocol import Ram

MAX_TABLES = 4096
"""Tables read of one level: 8 GiB of 4 KiB pages; 32-bit and PAE paging cannot have as many."""

ROWS = 8192
"""Mappings put together at a time."""

STRUCTURE = "page tables"

U64 = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.bool_]


@dataclass
class _Tables:
    """All tables of one level: their addresses, and what the levels above say of each."""

    address: U64
    virtual: U64
    writable: Flags
    user: Flags
    executable: Flags

    def __len__(self) -> int:
        return len(self.address)

    def take(self, keep: npt.NDArray[np.bool_] | slice) -> _Tables:
        """Return only some of them."""
        return _Tables(
            self.address[keep],
            self.virtual[keep],
            self.writable[keep],
            self.user[keep],
            self.executable[keep],
        )


def decode_page_tables(
    ram: Ram, registers: ControlRegisters, within: range | None = None
) -> PageTables:
    """Decode the address space that CR3 holds; without paging it is empty.

    Of the top table only the entries count that translate virtual addresses ``within``; they must
    translate nothing else.
    """
    mode = paging_mode(registers)
    if mode is None:
        nothing = np.empty(0, dtype=np.uint64)
        return PageTables("none", 0, np.empty(0, dtype=MAPPING), nothing, nothing)
    return _Decoder(ram, registers, mode, within).decode()


class _Decoder:
    """The state of one walk."""

    def __init__(
        self, ram: Ram, registers: ControlRegisters, mode: PagingMode, within: range | None
    ) -> None:
        self._ram = ram
        self._map = RamMap(ram)
        self._mode = mode
        self._within = within
        self._root = registers.cr3 & mode.root
        self._global = bool(registers.cr4 & CR4_PGE)
        self._faults: list[DecodeFault] = []
        self._pages: list[npt.NDArray[np.void]] = []
        self._reached: list[_Tables] = []

    def decode(self) -> PageTables:
        """Go down from the root."""
        everything = np.ones(1, dtype=bool)
        root = np.array([self._root], dtype=np.uint64)
        tables = _Tables(root, np.zeros(1, np.uint64), everything, everything, everything)
        above: _References | None = None
        for level in self._mode.levels:
            tables = self._readable(tables, level, above)
            self._reached.append(tables)
            if not len(tables):
                break
            tables, above = self._level(level, tables)
        return PageTables(
            mode=self._mode.name,
            root=self._root,
            mappings=self._mappings(),
            tables=np.concatenate([t.address for t in self._reached]),
            table_virtual=np.concatenate([t.virtual for t in self._reached]),
            faults=tuple(self._faults),
        )

    def _readable(self, tables: _Tables, level: Level, above: _References | None) -> _Tables:
        """Drop tables that are not in RAM, and those beyond the bound; say so.

        ``above`` are the entries that refer to them, None for the root.
        """
        present = self._map.holds(tables.address, level.entries * self._mode.entry_size)
        if not present.all():
            if above is None:
                message = f"CR3 points to physical 0x{self._root:x}, where there is no RAM"
                self._faults.append(DecodeFault(STRUCTURE, message, (self._root,), True))
            else:
                self._say_absent(above, tables.address, np.flatnonzero(~present))
            tables = tables.take(present)
        if len(tables) > MAX_TABLES:
            message = f"more than {MAX_TABLES} tables of level {level.number}; the rest is left out"
            self._faults.append(
                DecodeFault(STRUCTURE, message, (int(tables.address[MAX_TABLES]),), True)
            )
            tables = tables.take(slice(MAX_TABLES))
        return tables

    def _say_absent(self, above: _References, address: U64, absent: npt.NDArray[np.intp]) -> None:
        def fault(index: int) -> DecodeFault:
            row = int(absent[index])
            table = int(address[row])
            words = self._entry_in_words(above.level, above.found, row)
            message = f"{words}, but there is no RAM at the table that it refers to"
            return DecodeFault(STRUCTURE, message, (int(above.found.address[row]), table), True)

        self._faults += list_faults(len(absent), fault)

    def _entry_in_words(self, level: Level, found: _Entries, row: int) -> str:
        """Name an entry: "the PDE for virtual 0xc0000000-0xc03fffff is 0x1234067"."""
        start = int(self._sign_extended(found.virtual[row : row + 1])[0])
        end = start + level.page_size - 1
        return f"the {level.entry_name} for virtual 0x{start:x}-0x{end:x} is 0x{found.entry[row]:x}"

    def _level(self, level: Level, tables: _Tables) -> tuple[_Tables, _References | None]:
        """Take the pages of one level; return the tables below and what refers to each."""
        entries = self._read(tables, level)
        if self._within is not None and level is self._mode.levels[0]:
            self._leave_out(level, entries, self._within)
        found = self._present(level, tables, entries)
        if level.page is None:
            pages, below = None, found
        elif level.table is None:
            pages, below = found, None
        else:
            large = _has(found.entry, LARGE)
            pages, below = found.take(large), found.take(~large)
        if pages is not None and level.page is not None and len(pages.entry):
            self._pages.append(self._map_pages(level, level.page, pages))
        if below is None or level.table is None:
            return tables.take(slice(0)), None
        return self._refer(level, level.table, below)

    def _leave_out(
        self, level: Level, entries: npt.NDArray[np.unsignedinteger], within: range
    ) -> None:
        """Clear the top table's entries that translate nothing ``within``."""
        first, end = within.start >> level.shift, -(-within.stop // (1 << level.shift))
        entries[:, :first] = 0
        entries[:, end:] = 0

    def _present(
        self, level: Level, tables: _Tables, entries: npt.NDArray[np.unsignedinteger]
    ) -> _Entries:
        """Select the entries that are present; few passes, since there may be a million."""
        flat = np.flatnonzero(entries & entries.dtype.type(PRESENT))
        table = flat >> level.bits
        index = (flat & (level.entries - 1)).view(np.uint64)
        address, virtual = tables.address[table], tables.virtual[table]
        address += index * np.uint64(self._mode.entry_size)
        index <<= np.uint64(level.shift)
        virtual += index
        return _Entries(entries.reshape(-1)[flat], address, virtual, tables, table)

    def _read(self, tables: _Tables, level: Level) -> npt.NDArray[np.unsignedinteger]:
        """Copy the tables, one a row; neighbours in physical memory with one read."""
        size = self._mode.entry_size
        rows = np.empty((len(tables), level.entries), dtype=f"<u{size}")
        length = level.entries * size
        breaks = np.flatnonzero(tables.address[1:] - tables.address[:-1] != length) + 1
        borders = [0, *breaks.tolist(), len(tables)]
        for first, last in pairwise(borders):
            count = (last - first) * level.entries
            address = int(tables.address[first])
            rows[first:last].reshape(-1)[:] = self._ram.array(address, rows.dtype, count)
        return rows

    def _map_pages(self, level: Level, form: EntryFormat, found: _Entries) -> npt.NDArray[np.void]:
        found = self._well_formed(level, form, found)
        writable, user, executable = self._rights(level, found)
        columns = {
            "virtual": self._sign_extended(found.virtual),
            "physical": _address(found.entry, form),
            "entry": found.entry,
            "entry_address": found.address,
            "writable": writable,
            "user": user,
            "executable": executable,
        }
        if self._global:
            columns["global_"] = _has(found.entry, GLOBAL)
        pages = np.zeros(len(found.entry), dtype=MAPPING)
        # Some thousand rows at a time stay in the CPU's cache until all columns are there.
        for start in range(0, len(pages), ROWS):
            part = slice(start, start + ROWS)
            rows = pages[part]
            rows["size"], rows["level"] = level.page_size, level.number
            for name, column in columns.items():
                rows[name] = column[part]
        return pages

    def _refer(
        self, level: Level, form: EntryFormat, found: _Entries
    ) -> tuple[_Tables, _References]:
        found = self._well_formed(level, form, found)
        below = _address(found.entry, form)
        tables = _Tables(below, found.virtual, *self._rights(level, found))
        return tables, _References(level, found)

    def _well_formed(self, level: Level, form: EntryFormat, found: _Entries) -> _Entries:
        """Leave entries with reserved bits out: touching what they map is a page fault."""
        if not form.reserved:
            return found
        bad = _has(found.entry, form.reserved)
        if not bad.any():
            return found
        wrong = found.take(bad)

        def fault(index: int) -> DecodeFault:
            bits = bit_names(int(wrong.entry[index]) & form.reserved)
            words = self._entry_in_words(level, wrong, index)
            message = f"{words}, with {bits} set, which must be clear"
            return DecodeFault(STRUCTURE, message, (int(wrong.address[index]),), True)

        self._faults += list_faults(len(wrong.entry), fault)
        return found.take(~bad)

    def _rights(self, level: Level, found: _Entries) -> tuple[Flags, Flags, Flags]:
        """Return whether this level and all above grant writing, user access, execution."""
        above, of = found.tables, found.table
        writable, user, executable = above.writable[of], above.user[of], above.executable[of]
        if level.rights:
            writable &= _has(found.entry, WRITABLE)
            user &= _has(found.entry, USER)
            if self._mode.no_execute:
                executable &= ~_has(found.entry, NO_EXECUTE)
        return writable, user, executable

    def _sign_extended(self, virtual: U64) -> U64:
        width = self._mode.address_bits
        if width == 32:
            return virtual
        upper = virtual >= np.uint64(1 << (width - 1))
        return np.where(upper, virtual | np.uint64((1 << 64) - (1 << width)), virtual)

    def _mappings(self) -> npt.NDArray[np.void]:
        if not self._pages:
            return np.empty(0, dtype=MAPPING)
        if len(self._pages) == 1:
            return self._pages[0]
        together = np.concatenate(self._pages)
        return together[np.argsort(together["virtual"], kind="stable")]


@dataclass
class _Entries:
    """Present entries of one level: raw values, physical addresses, what they translate."""

    entry: npt.NDArray[np.unsignedinteger]
    address: U64
    virtual: U64
    tables: _Tables
    table: npt.NDArray[np.intp]
    """Index into ``tables`` of the table that each lies in."""

    def take(self, keep: Flags) -> _Entries:
        """Return only some of them."""
        kept = self.entry[keep], self.address[keep], self.virtual[keep]
        return _Entries(*kept, self.tables, self.table[keep])


@dataclass(frozen=True)
class _References:
    """The entries of one level that refer to tables of the next, in the tables' order."""

    level: Level
    found: _Entries


def _has(entry: npt.NDArray[np.unsignedinteger], mask: int) -> Flags:
    flags: Flags = (entry & entry.dtype.type(mask & (1 << entry.itemsize * 8) - 1)) != 0
    return flags


def _address(entry: npt.NDArray[np.unsignedinteger], form: EntryFormat) -> U64:
    address = (entry & entry.dtype.type(form.address)).astype(np.uint64)
    if form.high:
        high = (entry & entry.dtype.type(form.high)).astype(np.uint64)
        address |= high << np.uint64(form.high_shift)
    return address
