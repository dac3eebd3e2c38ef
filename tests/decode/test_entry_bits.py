"""Entries taken apart, against the manual's tables written out by hand."""

from __future__ import annotations

import pytest

from harness.decode.belief.paging import ControlRegisters
from harness.decode.entry_bits import entry_bits
from harness.decode.page_tables import decode_page_tables
from harness.decode.paging_modes import PagingMode, paging_mode
from harness.decode.table_entries import table_entries
from tests.decode.memory import ByteRam

PG, PSE, PAE, NXE, LME = 1 << 31, 1 << 4, 1 << 5, 1 << 11, 1 << 8


def mode_of(cr4: int, efer: int = 0) -> PagingMode:
    found = paging_mode(ControlRegisters(PG | 1, 0, cr4, efer))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("cr4", "efer", "number", "entry", "name", "target", "bits"),
    [
        # SDM table 4-6: a PTE; PAT is bit 7.
        (PSE, 0, 1, 0x00345FFB, "PTE", 0x345000,
         {"P": 1, "RW": 1, "US": 0, "PWT": 1, "PCD": 1, "A": 1, "D": 1, "PAT": 1, "G": 1,
          "AVL": 7}),
        # Table 4-5: a PDE that refers to a table; bit 7 is ignored without CR4.PSE.
        (0, 0, 2, 0x00345EA7, "PDE", 0x345000,
         {"P": 1, "RW": 1, "US": 1, "PWT": 0, "PCD": 0, "A": 1, "AVL": 7}),
        (PSE, 0, 2, 0x00345025, "PDE", 0x345000,
         {"P": 1, "RW": 0, "US": 1, "PWT": 0, "PCD": 0, "A": 1, "PS": 0, "AVL": 0}),
        # Table 4-4: a page of 4 MiB, with PSE-36: bits 16-13 are bits 35-32 of the address.
        (PSE, 0, 2, 0x0041F3E3, "PDE", 0xF00400000,
         {"P": 1, "RW": 1, "US": 0, "PWT": 0, "PCD": 0, "A": 1, "D": 1, "PS": 1, "G": 1, "AVL": 1,
          "PAT": 1, "PSE-36": 15}),
        # Table 4-8: a PDPTE of PAE has no rights.
        (PAE, 0, 3, 0x345E19, "PDPTE", 0x345000, {"P": 1, "PWT": 1, "PCD": 1, "AVL": 7}),
        # Table 4-9: a page of 2 MiB; XD is bit 63.
        (PAE, NXE, 2, 0x8000000F00201081, "PDE", 0xF00200000,
         {"P": 1, "RW": 0, "US": 0, "PWT": 0, "PCD": 0, "A": 0, "D": 0, "PS": 1, "G": 0, "AVL": 0,
          "PAT": 1, "NX": 1}),
        # Table 4-15: a PML4E, whose bit 7 is reserved.
        (PAE, LME | NXE, 4, 0x345007, "PML4E", 0x345000,
         {"P": 1, "RW": 1, "US": 1, "PWT": 0, "PCD": 0, "A": 0, "AVL": 0, "NX": 0}),
    ],
)  # fmt: skip
def test_bits_by_their_names(
    cr4: int, efer: int, number: int, entry: int, name: str, target: int, bits: dict[str, int]
) -> None:
    mode = mode_of(cr4, efer)
    level = next(level for level in mode.levels if level.number == number)
    found = entry_bits(mode, level, entry)
    assert (found.name, found.target, found.reserved) == (name, target, "")
    assert {bit.name: bit.value for bit in found.bits} == bits


def test_reserved_bits_are_named_and_an_absent_entry_is_software_s() -> None:
    mode = mode_of(PAE)
    level = mode.levels[-1]
    assert entry_bits(mode, level, 0x8000000000001003).reserved == "bit 63 (XD)"
    absent = entry_bits(mode, level, 0xABC0)
    assert not absent.present
    assert [(bit.name, bit.value) for bit in absent.bits] == [("P", 0), ("software", 0x55E0)]


def test_every_page_stands_in_the_entries_as_often_as_it_is_mapped() -> None:
    """A directory that is its own table, a large page, holes and neighbours of other rights."""
    ram = ByteRam(range(0x4000))
    ram.set_entries(0x1000, [0x2003, 0x00400083, 0x00800083, 0x00C00087], 4)
    ram.set_word(0x1000 + 4 * 1023, 0x1003)
    ram.set_entries(0x2000, [0, 0x5003, 0x6063, 0x7001, 0x9001, 0], 4)
    registers = ControlRegisters(PG | 1, 0x1000, PSE)
    pages = decode_page_tables(ram, registers).mappings
    found = [one for one in table_entries(ram, registers) if one.bits.page]
    assert sum(one.count for one in found) == len(pages)
    starts = {(one.virtual, one.bits.target) for one in found}
    assert starts <= set(zip(pages["virtual"].tolist(), pages["physical"].tolist(), strict=True))
    # 0x5000 and 0x6000 differ in A and D alone; the large page that a user may reach stands alone.
    assert [(one.virtual, one.count) for one in found[:5]] == [
        (0x1000, 2), (0x3000, 1), (0x4000, 1), (0x400000, 2), (0xC00000, 1),
    ]  # fmt: skip
