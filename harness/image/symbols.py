"""A kernel's symbol table: names, addresses, and which function an address is in."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from typing import Any

from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

from harness.image.cache import cached
from harness.image.dwarf import DAMAGED
from harness.image.errors import UnknownName

NO_SYMBOLS = "symbol table (linked with -s, or stripped), so no symbol"
"""What a kernel without symbols is said not to have."""
SHF_EXECINSTR = 4

_CODE_RANKS = {"STT_FUNC": 0, "STT_NOTYPE": 1}
"""Kinds of symbols that name code, best first: assembly labels often have no type."""


@dataclass(frozen=True)
class SymbolTable:
    """Symbols of one ELF; addresses are virtual."""

    values: Mapping[str, int]
    functions: tuple[tuple[int, int, str], ...]
    """(address, size in bytes or 0, name) by ascending address, one an address."""

    @staticmethod
    def read(contents: bytes, key: str) -> SymbolTable:
        """Return the table of the ELF file ``contents``, whose cache key is ``key``."""
        value = cached("symbols", key, lambda: _extract(contents))
        functions = tuple((address, size, name) for address, size, name in value["functions"])
        return SymbolTable(value["values"], functions)

    def address(self, name: str) -> int:
        """Return the value of symbol ``name``; raise :class:`UnknownName`."""
        try:
            return self.values[name]
        except KeyError:
            kind = "symbol" if self.values else NO_SYMBOLS
            raise UnknownName(kind, name, self.values) from None

    @cached_property
    def _starts(self) -> list[int]:
        return [address for address, _, _ in self.functions]

    def function_at(self, address: int) -> tuple[str, int] | None:
        """Return the function around ``address`` and the offset into it, in bytes.

        A label without a size reaches to the next function.
        """
        index = bisect_right(self._starts, address) - 1
        if index < 0:
            return None
        start, size, name = self.functions[index]
        if size and address >= start + size:
            return None
        return name, address - start


def _extract(contents: bytes) -> dict[str, Any]:
    values: dict[str, int] = {}
    code: dict[int, tuple[int, int, str]] = {}
    try:
        elf = ELFFile(BytesIO(contents))
        executable = _executable_sections(elf)
        for symbol in _symbols(elf):
            _take(symbol, executable, values, code)
    except DAMAGED:
        # Symbols are a convenience: a kernel whose table is damaged still boots.
        pass
    functions = [(address, size, name) for address, (_, size, name) in sorted(code.items())]
    return {"values": values, "functions": functions}


def _executable_sections(elf: ELFFile) -> set[int]:
    return {i for i, s in enumerate(elf.iter_sections()) if s["sh_flags"] & SHF_EXECINSTR}


def _symbols(elf: ELFFile) -> Any:
    for section in elf.iter_sections():
        if isinstance(section, SymbolTableSection):
            yield from section.iter_symbols()


def _take(
    symbol: Any,
    executable: set[int],
    values: dict[str, int],
    code: dict[int, tuple[int, int, str]],
) -> None:
    """Note one symbol; of two with one name the global one counts, else the first."""
    name, kind = symbol.name, symbol["st_info"]["type"]
    if not name or symbol["st_shndx"] == "SHN_UNDEF" or kind in ("STT_FILE", "STT_SECTION"):
        return
    address = symbol["st_value"]
    if name not in values or symbol["st_info"]["bind"] == "STB_GLOBAL":
        values[name] = address
    if symbol["st_shndx"] in executable and kind in _CODE_RANKS:
        candidate = (_CODE_RANKS[kind], symbol["st_size"], name)
        if address not in code or candidate[0] < code[address][0]:
            code[address] = candidate
