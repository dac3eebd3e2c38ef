"""One entry of a page table taken apart: each bit by its name, and where the entry leads.

Source: Intel SDM volume 3A, tables 4-4 to 4-6 (32-bit paging, PSE and PSE-36), 4-8 to 4-11 (PAE)
and 4-15 to 4-20 (4-level paging).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.decode.page_walk import entry_format
from harness.decode.paging_modes import (
    NO_EXECUTE,
    PRESENT,
    EntryFormat,
    Level,
    PagingMode,
    bit_names,
)

_LOW = (("P", 0), ("RW", 1), ("US", 2), ("PWT", 3), ("PCD", 4), ("A", 5))
"""Bits of every entry of a level that has rights."""
_POINTER_LOW = (("P", 0), ("PWT", 3), ("PCD", 4))
"""Those of a PDPTE of PAE paging."""


@dataclass(frozen=True)
class Bits:
    """Named bits of an entry: their value, shifted down."""

    name: str
    value: int
    width: int = 1


@dataclass(frozen=True)
class EntryBits:
    """An entry: ``page``, whether it maps one, and the physical address that it leads to."""

    name: str
    """What the manual calls it: PTE, PDE …"""
    page: bool
    target: int
    """Physical address of the page or the table; of no meaning unless it is present."""
    bits: tuple[Bits, ...]
    reserved: str
    """The reserved bits that are set, in words; empty when all is well."""

    @property
    def present(self) -> bool:
        """Whether the entry is present."""
        return bool(self.bits[0].value)


def entry_bits(mode: PagingMode, level: Level, entry: int) -> EntryBits:
    """Return what a raw ``entry`` of ``level`` says.

    Of one that is not present only P has a meaning; the rest is the kernel's own.
    """
    form, page = entry_format(level, entry)
    if not entry & PRESENT:
        own = Bits("software", entry >> 1, mode.entry_size * 8 - 1)
        return EntryBits(level.entry_name, page, 0, (Bits("P", 0), own), "")
    target = entry & form.address | (entry & form.high) << form.high_shift
    reserved = bit_names(entry & form.reserved)
    bits = tuple(_bits(mode, level, form, page, entry))
    return EntryBits(level.entry_name, page, target, bits, reserved)


def _bits(
    mode: PagingMode, level: Level, form: EntryFormat, page: bool, entry: int
) -> Iterator[Bits]:
    def one(name: str, bit: int) -> Bits:
        return Bits(name, entry >> bit & 1)

    yield from (one(name, bit) for name, bit in (_LOW if level.rights else _POINTER_LOW))
    if page:
        yield one("D", 6)
        yield one("PAT", 7) if level.number == 1 else one("PS", 7)
        yield one("G", 8)
    elif level.page is not None:
        yield one("PS", 7)
    yield Bits("AVL", entry >> 9 & 7, 3)
    if page and level.number > 1:
        yield one("PAT", 12)
    if form.high:
        low = (form.high & -form.high).bit_length() - 1
        yield Bits("PSE-36", (entry & form.high) >> low, form.high.bit_length() - low)
    if mode.entry_size == 8 and level.rights:
        yield Bits("NX", int(bool(entry & NO_EXECUTE)))
