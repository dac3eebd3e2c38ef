"""Which source line an instruction comes from (DWARF 4, section 6.2; DWARF 5, section 6.2)."""

from __future__ import annotations

import posixpath
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from harness.image.cache import cached
from harness.image.dwarf import DAMAGED, open_dwarf, text

_NO_FILE = -1
"""File of the row that ends a sequence of instructions."""


@dataclass(frozen=True)
class LineTable:
    """Rows of all line programs by ascending virtual address; three parallel sequences."""

    files: tuple[str, ...]
    addresses: tuple[int, ...]
    places: tuple[tuple[int, int], ...]
    """(index into ``files``, line from 1) of the instructions from the row's address on."""

    @staticmethod
    def read(contents: bytes, key: str) -> LineTable:
        """Return the table of the ELF file ``contents``, whose cache key is ``key``."""
        value = cached("lines", key, lambda: _extract(contents))
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


def _extract(contents: bytes) -> dict[str, Any]:
    files: dict[str, int] = {}
    rows: list[tuple[int, int, int]] = []
    try:
        dwarf = open_dwarf(contents)
        for unit in dwarf.iter_CUs() if dwarf else ():
            for address, name, line in _unit_rows(dwarf, unit):
                file = files.setdefault(name, len(files)) if name else _NO_FILE
                rows.append((address, file, line))
    except DAMAGED:
        # Lines are a convenience: what was read before the damage stays good.
        pass
    # Of rows with one address the last one holds, and a sequence's end comes before the start
    # of its neighbour; the sort is stable.
    rows.sort(key=lambda row: (row[0], row[1] != _NO_FILE))
    return {
        "files": list(files),
        "addresses": [address for address, _, _ in rows],
        "file_indices": [file for _, file, _ in rows],
        "lines": [line for _, _, line in rows],
    }


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
