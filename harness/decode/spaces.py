"""Address spaces: their page directories, and the user regions whose pages appear when touched."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from harness.decode.address_space import NotReadable
from harness.decode.belief.fault import DecodeFault
from harness.decode.belief.paging import MAPPING, ControlRegisters, PageTables
from harness.decode.belief.spaces import AddressSpaces, MapPart, Space, UserRegion
from harness.decode.context import Context, Undecodable
from harness.decode.links import Break, faults_of
from harness.decode.page_tables import decode_page_tables
from harness.decode.paging_modes import paging_mode
from harness.decode.record_list import RecordType, read_records
from harness.decode.table import read_table
from harness.image.schema.spaces import AddressSpaces as Description
from harness.image.schema.spaces import MapTable, UserRegions
from harness.ram.protocol import AbsentMemory

MAX_SPACES = 1 << 13
"""Address spaces followed: their directories alone are 32 MiB then."""

MAX_TABLES = 2048
"""Page tables of user space read in all spaces together: 8 GiB of 4 KiB pages."""

MAX_REGIONS = 1 << 16
"""User regions followed in one space."""

MAX_NAME = 64
"""Bytes read of a name."""

SPACES = "address spaces"
REGIONS = "user regions"


def decode_spaces(
    context: Context, description: Description, registers: ControlRegisters
) -> AddressSpaces:
    """Decode every address space's user part; raise ``Undecodable`` or ``NotReadable``.

    A list that breaks, a directory outside RAM and page tables beyond :data:`MAX_TABLES` are
    faults, behind which decoding goes on.
    """
    parts = tuple(_map_parts(context, description.map))
    return _Decoder(context, description, registers, parts).decode()


def _map_parts(context: Context, table: MapTable) -> Iterator[MapPart]:
    members = (table.name, table.start, table.last, table.user, table.writable)
    rows, _ = read_table(context, table.array, table.count, members)
    for name, start, last, user, writable in rows:
        yield MapPart(_text(context, name), start, last + 1, bool(user), bool(writable))


def _text(context: Context, virtual: int) -> str:
    """Return the characters up to a zero byte, or as many as can be read."""
    try:
        length = min(MAX_NAME, context.space.stretch(virtual)[1])
        raw = context.space.read(virtual, length)
    except NotReadable:
        return f"0x{virtual:x}"
    return raw.partition(b"\0")[0].decode("ascii", "backslashreplace")


@dataclass
class _Decoder:
    """All spaces of one guest; counts the page tables that are read."""

    context: Context
    description: Description
    registers: ControlRegisters
    map: tuple[MapPart, ...]
    faults: list[DecodeFault] = field(default_factory=list)
    tables: int = 0

    def decode(self) -> AddressSpaces:
        """Follow the list of spaces."""
        described, evaluate = self.description, self.context.evaluate
        head = evaluate.integer(f"&({described.spaces})")
        of = RecordType(described.space, described.link, described.next, described.previous)
        records = read_records(self.context, head, of, MAX_SPACES)
        self._add(SPACES, records.breaks)
        numbers = records.numbers(self.context, described.number)
        directories = records.numbers(self.context, described.directory)
        current = evaluate.integer(described.current)
        offset = records.type.stripped.member(described.regions.head).offset
        spaces = [
            self._space(number, record, directory, record == current, record + offset)
            for number, record, directory in zip(
                numbers, records.addresses, directories, strict=True
            )
        ]
        zero = described.zero_page
        zero_page = None if zero is None else self.context.space.translate(evaluate.integer(zero))
        faults = tuple(self.faults)
        return AddressSpaces(tuple(spaces), self.map, zero_page, described.owner, faults)

    def _add(self, structure: str, breaks: tuple[Break, ...]) -> None:
        self.faults += faults_of(structure, breaks)

    def _space(self, number: int, record: int, directory: int, current: bool, head: int) -> Space:
        entries = self._entries(number, directory)
        return Space(
            number=number,
            record=record,
            directory=directory,
            current=current,
            entries=entries,
            user=self._user_tables(number, directory, readable=bool(len(entries))),
            regions=self._regions(number, head, self.description.regions),
        )

    def _entries(self, number: int, directory: int) -> npt.NDArray[np.uint64]:
        """Return the top table's entries; none when there is no paging, or no table."""
        mode = paging_mode(self.registers)
        if mode is None:
            return np.empty(0, dtype=np.uint64)
        level = mode.levels[0]
        try:
            raw = self.context.ram.array(
                directory & mode.root, f"<u{mode.entry_size}", level.entries
            )
        except AbsentMemory as error:
            message = f"space {number}'s top table is not in RAM: {error}"
            self.faults.append(DecodeFault(SPACES, message, (directory,), True))
            return np.empty(0, dtype=np.uint64)
        return raw.astype(np.uint64)

    def _user_tables(self, number: int, directory: int, readable: bool) -> PageTables:
        """Return what the space maps in the users' parts of the map."""
        nothing = np.empty(0, dtype=np.uint64)
        empty = PageTables("none", directory, np.empty(0, dtype=MAPPING), nothing, nothing)
        if not readable:
            return empty
        if self.tables > MAX_TABLES:
            message = f"more than {MAX_TABLES} page tables; space {number}'s are left out"
            self.faults.append(DecodeFault(SPACES, message, (directory,), True))
            return empty
        registers = replace(self.registers, cr3=directory)
        found = [
            decode_page_tables(self.context.ram, registers, range(part.start, part.end))
            for part in self.map
            if part.user
        ]
        if not found:
            return empty
        tables = _joined(found)
        self.tables += len(tables.tables)
        return tables

    def _regions(self, number: int, head: int, of: UserRegions) -> tuple[UserRegion, ...]:
        record = RecordType(of.region, of.link, of.next, of.previous)
        try:
            records = read_records(self.context, head, record, MAX_REGIONS)
        except (NotReadable, Undecodable) as error:
            self._add(REGIONS, (Break(str(error), (head,)),))
            return ()
        self._add(f"{REGIONS}, space {number}", records.breaks)
        starts = records.numbers(self.context, of.start)
        pages = records.numbers(self.context, of.pages)
        frames = records.column(self.context, of.frames)
        return tuple(UserRegion(*row) for row in zip(starts, pages, frames, strict=True))


def _joined(parts: list[PageTables]) -> PageTables:
    """Return several walks from one root as one."""
    if len(parts) == 1:
        return parts[0]
    mappings = np.concatenate([part.mappings for part in parts])
    return replace(
        parts[0],
        mappings=mappings[np.argsort(mappings["virtual"], kind="stable")],
        tables=np.concatenate([parts[0].tables, *(part.tables[1:] for part in parts[1:])]),
        table_virtual=np.concatenate(
            [parts[0].table_virtual, *(part.table_virtual[1:] for part in parts[1:])]
        ),
        faults=tuple(fault for part in parts for fault in part.faults),
    )
