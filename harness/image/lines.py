"""Which source line an instruction comes from (DWARF 4, section 6.2; DWARF 5, section 6.2).

To decode a kernel's whole line table takes a hundred times as long as that of one compilation unit,
which is all that a backtrace needs of most of them.
"""

from __future__ import annotations

import posixpath
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from harness.image.cache import cached
from harness.image.dwarf import DAMAGED, open_dwarf, text, uncollected

_NO_FILE = -1
"""File of the row that ends a sequence of instructions."""


class SourceLines:
    """Source lines of an ELF file, decoded as far as somebody asks."""

    def __init__(self, contents: bytes, key: str) -> None:
        """Take a whole ELF file, whose cache key is ``key``; nothing is read yet."""
        self._contents = contents
        self._key = key
        self._units: dict[int, LineTable] = {}

    @cached_property
    def table(self) -> LineTable:
        """All lines; empty without debug information."""
        value = cached("lines", self._key, lambda: _all_rows(self._contents).as_json())
        return LineTable.from_json(value)

    def find(self, address: int) -> tuple[str, int] | None:
        """Return source file and line of the instruction at virtual ``address``.

        None for what comes from no line: outside, or made by the compiler (line 0).
        """
        return (self._unit_around(address) or self.table).find(address)

    def _unit_around(self, address: int) -> LineTable | None:
        """Return the lines of the unit that has ``address``, if that can be told by itself."""
        if "table" in self.__dict__:
            return self.table
        try:
            offset = self._ranges.cu_offset_at_addr(address) if self._ranges else None
            if offset is None:
                return None  # whoever made the ranges may have left units out
            if offset not in self._units:
                with uncollected():
                    unit = self._dwarf.get_CU_at(offset)
                    self._units[offset] = LineTable.of(_unit_rows(self._dwarf, unit))
            return self._units[offset]
        except DAMAGED:
            return None

    @cached_property
    def _dwarf(self) -> Any:
        return open_dwarf(self._contents)

    @cached_property
    def _ranges(self) -> Any | None:
        """Which unit an address belongs to (DWARF 5, section 6.1.2); Clang tells on demand only."""
        return self._dwarf.get_aranges() if self._dwarf else None


@dataclass(frozen=True)
class LineTable:
    """Rows of line programs by ascending virtual address; three parallel sequences."""

    files: tuple[str, ...]
    addresses: tuple[int, ...]
    places: tuple[tuple[int, int], ...]
    """(index into ``files``, line from 1) of the instructions from the row's address on."""

    @staticmethod
    def of(rows: Iterable[tuple[int, str, int]]) -> LineTable:
        """Make a table of (address, file or "" at a sequence's end, line) in any order."""
        files: dict[str, int] = {}
        found = [
            (address, files.setdefault(name, len(files)) if name else _NO_FILE, line)
            for address, name, line in rows
        ]
        # Of rows with one address the last one holds, and a sequence's end comes before the start
        # of its neighbour; the sort is stable.
        found.sort(key=lambda row: (row[0], row[1] != _NO_FILE))
        places = tuple((file, line) for _, file, line in found)
        return LineTable(tuple(files), tuple(address for address, _, _ in found), places)

    def as_json(self) -> dict[str, Any]:
        """Return what :meth:`from_json` takes."""
        return {
            "files": self.files,
            "addresses": self.addresses,
            "file_indices": [file for file, _ in self.places],
            "lines": [line for _, line in self.places],
        }

    @staticmethod
    def from_json(value: Any) -> LineTable:
        """Make a table of what :meth:`as_json` gave."""
        places = tuple(zip(value["file_indices"], value["lines"], strict=True))
        return LineTable(tuple(value["files"]), tuple(value["addresses"]), places)

    def find(self, address: int) -> tuple[str, int] | None:
        """Return source file and line of the instruction at virtual ``address``.

        None for what comes from no line: outside, or made by the compiler (line 0).
        """
        index = bisect_right(self.addresses, address) - 1
        if index < 0:
            return None
        file, line = self.places[index]
        return None if file == _NO_FILE or line == 0 else (self.files[file], line)


def _all_rows(contents: bytes) -> LineTable:
    rows: list[tuple[int, str, int]] = []
    with uncollected():
        try:
            dwarf = open_dwarf(contents)
            for unit in dwarf.iter_CUs() if dwarf else ():
                rows.extend(_unit_rows(dwarf, unit))
        except DAMAGED:
            # Lines are a convenience: what was read before the damage stays good.
            pass
    return LineTable.of(rows)


def _unit_rows(dwarf: Any, unit: Any) -> Iterator[tuple[int, str, int]]:
    """Yield (address, file or "" at an end, line) of one compilation unit's line program."""
    program = dwarf.line_program_for_CU(unit)
    if program is None:
        return
    names: dict[int, str] = {}
    for entry in program.get_entries():
        state = entry.state
        if state is None:
            continue
        if state.end_sequence:
            yield state.address, "", 0
            continue
        if state.file not in names:
            names[state.file] = _file_name(program, state.file)
        yield state.address, names[state.file], state.line


def _file_name(program: Any, index: int) -> str:
    """Return a file's path; relative ones are relative to the folder of the compilation.

    Up to DWARF 4 files and folders count from 1, and folder 0 is that of the compilation; from
    DWARF 5 on they count from 0, with the same meaning of folder 0.
    """
    modern = program["version"] >= 5
    entry = program["file_entry"][index - (0 if modern else 1)]
    name = text(entry.name)
    if entry.dir_index == 0:
        return name
    folder = program["include_directory"][entry.dir_index - (0 if modern else 1)]
    return posixpath.normpath(posixpath.join(text(folder), name))
