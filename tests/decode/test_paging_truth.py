"""Truth tables from the SDM, volume 3A, chapter 4: every mode, both walks."""

from __future__ import annotations

import re
from itertools import product

import numpy as np
import pytest

from harness.decode.belief.paging import ControlRegisters
from harness.decode.page_tables import decode_page_tables
from harness.decode.page_walk import Walk, walk
from harness.decode.paging_modes import bit_names, bits
from tests.decode.entries import large, small, wide
from tests.decode.memory import ByteRam

PG, PSE, PAE, PGE, LME, NXE = 1 << 31, 1 << 4, 1 << 5, 1 << 7, 1 << 8, 1 << 11
ROOT, TABLE, DIRECTORY, POINTERS = 0x1000, 0x2000, 0x3000, 0x4000


def registers(cr4: int = PSE, efer: int = 0, physical_bits: int | None = None) -> ControlRegisters:
    return ControlRegisters(PG | 1, ROOT, cr4, efer, physical_bits)


def ram() -> ByteRam:
    return ByteRam(range(0x8000))


def both(memory: ByteRam, of: ControlRegisters, virtual: int) -> Walk:
    """Walk to one address, and see that the whole-space walk says the same of it."""
    one = walk(memory, of, virtual)
    space = decode_page_tables(memory, of)
    found = [m for m in space.mappings if int(m["virtual"]) == virtual]
    assert len(found) == (one.fault is None)
    if one.fault is None:
        names = ("physical", "size", "writable", "user", "executable")
        theirs = (one.physical, one.page_size, one.writable, one.user, one.executable)
        assert tuple(found[0][name].item() for name in names) == theirs
        assert int(found[0]["entry"]) == one.steps[-1].entry
        assert int(found[0]["entry_address"]) == one.steps[-1].address
        assert int(found[0]["level"]) == one.steps[-1].level
    return one


def two_levels(directory: int, page: int) -> ByteRam:
    memory = ram()
    memory.set_word(ROOT + 4 * 0x300, directory)
    memory.set_word(TABLE, page)
    return memory


FLAGS = list(product((False, True), repeat=2))


@pytest.mark.parametrize("upper", FLAGS)
@pytest.mark.parametrize("lower", FLAGS)
def test_rights_are_those_of_both_levels(
    upper: tuple[bool, bool], lower: tuple[bool, bool]
) -> None:
    """SDM 4.6.1: R/W and U/S count only when they are 1 in every entry of the walk."""
    memory = two_levels(
        small(frame=TABLE >> 12, writable=upper[0], user=upper[1]),
        small(frame=0x77, writable=lower[0], user=lower[1]),
    )
    found = both(memory, registers(), 0xC0000000)
    assert found.physical == 0x77000
    assert found.writable == (upper[0] and lower[0])
    assert found.user == (upper[1] and lower[1])
    assert found.executable


@pytest.mark.parametrize(("upper", "lower"), [(False, True), (True, False), (False, False)])
def test_both_levels_must_be_present(upper: bool, lower: bool) -> None:
    memory = two_levels(small(frame=TABLE >> 12, present=upper), small(frame=0x77, present=lower))
    fault = both(memory, registers(), 0xC0000000).fault
    assert fault is not None
    assert (fault.level, fault.reason) == (1 if upper else 2, "not present")


def test_without_pse_bit_7_of_a_directory_entry_is_ignored() -> None:
    """SDM table 4-5: bit 7 is ignored if CR4.PSE = 0."""
    memory = two_levels(small(frame=TABLE >> 12, bit7=True), small(frame=0x77))
    assert both(memory, registers(cr4=0), 0xC0000000).physical == 0x77000


def test_a_large_page() -> None:
    memory = ram()
    memory.set_word(ROOT + 4 * 0x300, large(frame=3, writable=True))
    found = both(memory, registers(), 0xC0000000)
    assert (found.physical, found.page_size) == (3 << 22, 4 << 20)
    assert walk(memory, registers(), 0xC0312345).physical == (3 << 22) + 0x312345


@pytest.mark.parametrize("high", [1, 2, 8, 0x0F])
def test_pse_36_gives_high_address_bits(high: int) -> None:
    """SDM table 4-4: PDE bits (M-20):13 are bits (M-1):32 of the address; M is 36 here."""
    memory = ram()
    memory.set_word(ROOT + 4 * 0x300, large(frame=5, high=high))
    assert both(memory, registers(physical_bits=36), 0xC0000000).physical == high << 32 | 5 << 22


@pytest.mark.parametrize(
    ("width", "high", "bit21", "good"),
    [
        *((36, 0x0F, 0, True), (36, 0x10, 0, False), (36, 0, 1, False), (36, 0x80, 0, False)),
        *((40, 0xFF, 0, True), (40, 0, 1, False), (40, 0xFF, 1, False)),
        *((32, 0x00, 0, True), (32, 0x01, 0, False), (32, 0, 1, False)),
        (52, 0xFF, 0, True),  # no more than 40 bits even then
    ],
)
def test_reserved_bits_of_a_large_page(width: int, high: int, bit21: int, good: bool) -> None:
    """SDM table 4-4: bits 21:(M-19) must be 0, with M = min(40, MAXPHYADDR)."""
    memory = ram()
    memory.set_word(ROOT + 4 * 0x300, large(frame=1, high=high, reserved=bit21))
    of = registers(physical_bits=width)
    assert (both(memory, of, 0xC0000000).fault is None) == good
    assert (decode_page_tables(memory, of).faults == ()) == good


@pytest.mark.parametrize(("pge", "flag"), FLAGS)
def test_global_needs_cr4_pge(pge: bool, flag: bool) -> None:
    """SDM 4.10.2.4; the flag of an entry that refers to a table is ignored."""
    memory = two_levels(small(frame=TABLE >> 12, global_=True), small(frame=1, global_=flag))
    space = decode_page_tables(memory, registers(cr4=PSE | (PGE if pge else 0)))
    assert space.mappings["global_"].tolist() == [pge and flag]


def wide_ram(entries: dict[int, int]) -> ByteRam:
    memory = ram()
    for address, entry in entries.items():
        memory.write(address, entry.to_bytes(8, "little"))
    return memory


def pae(pointer: int, directory: int, page: int = 0) -> ByteRam:
    """Build tables in which virtual 0xC0000000 goes through all three entries."""
    return wide_ram({ROOT + 3 * 8: pointer, DIRECTORY: directory, TABLE: page})


POINTER = wide(frame=DIRECTORY >> 12)
DOWN = wide(frame=TABLE >> 12, writable=True, user=True)


@pytest.mark.parametrize("upper", list(product((False, True), repeat=3)))
@pytest.mark.parametrize("lower", list(product((False, True), repeat=3)))
def test_pae_rights(upper: tuple[bool, ...], lower: tuple[bool, ...]) -> None:
    """The PDPTE has no rights of its own (SDM table 4-8); XD counts in any level below."""
    names = ("writable", "user", "no_execute")
    memory = pae(
        POINTER,
        wide(frame=TABLE >> 12, **dict(zip(names, upper, strict=True))),
        wide(frame=0x123456, **dict(zip(names, lower, strict=True))),
    )
    found = both(memory, registers(PAE, NXE), 0xC0000000)
    assert found.physical == 0x123456000
    assert found.writable == (upper[0] and lower[0])
    assert found.user == (upper[1] and lower[1])
    assert found.executable == (not upper[2] and not lower[2])


def test_pae_large_page_without_cr4_pse() -> None:
    """SDM 4.4.2: with PAE, PS counts whatever CR4.PSE is."""
    memory = pae(POINTER, wide(frame=0x400, bit7=True))
    found = both(memory, registers(PAE), 0xC0000000)
    assert (found.physical, found.page_size) == (0x400000, 2 << 20)


PAE_RESERVED = [
    *((3, bit) for bit in (1, 2, 6, 7, 8, 36, 62, 63)),
    *((2, bit) for bit in (36, 51, 52, 62, 63)),
    *((1, bit) for bit in (36, 51, 52, 62, 63)),
]


@pytest.mark.parametrize(("level", "bit"), PAE_RESERVED)
def test_pae_reserved_bits(level: int, bit: int) -> None:
    """SDM tables 4-8, 4-10 and 4-11, with MAXPHYADDR 36 and EFER.NXE = 0."""
    entries = {3: POINTER, 2: DOWN, 1: wide(frame=0x77)}
    entries[level] |= 1 << bit
    memory = pae(entries[3], entries[2], entries[1])
    fault = both(memory, registers(PAE), 0xC0000000).fault
    assert fault is not None
    assert fault.level == level
    assert re.fullmatch(rf"reserved bits set: bit {bit}( \([A-Z/]+\))?", fault.reason)
    [noted] = decode_page_tables(memory, registers(PAE)).faults
    assert noted.physical
    assert noted.chain == ({3: ROOT + 24, 2: DIRECTORY, 1: TABLE}[level],)
    name, end = {
        3: ("PDPTE", 0xFFFFFFFF),
        2: ("PDE", 0xC01FFFFF),
        1: ("PTE", 0xC0000FFF),
    }[level]
    words = f"the {name} for virtual 0xc0000000-0x{end:x} is 0x{entries[level]:x}, with bit {bit}"
    assert noted.message.startswith(words)


@pytest.mark.parametrize("bit", [13, 20, 36, 62, 63])
def test_pae_reserved_bits_of_a_large_page(bit: int) -> None:
    """SDM table 4-9."""
    memory = pae(POINTER, wide(frame=0x400, bit7=True) | 1 << bit)
    assert both(memory, registers(PAE), 0xC0000000).fault is not None


@pytest.mark.parametrize("bit", [1, 2, 3, 4, 5, 6, 9, 10, 11, 35])
def test_pae_bits_that_are_not_reserved(bit: int) -> None:
    memory = pae(POINTER, DOWN, wide(frame=0x77) | 1 << bit)
    assert both(memory, registers(PAE), 0xC0000000).fault is None


def test_bit_5_of_a_pdpte_may_be_set() -> None:
    """The SDM reserves it, and QEMU's TCG sets it when it walks by."""
    memory = pae(POINTER | 1 << 5, DOWN, wide(frame=0x77))
    assert both(memory, registers(PAE), 0xC0000000).physical == 0x77000
    assert decode_page_tables(memory, registers(PAE)).faults == ()


def test_pae_root_is_aligned_to_32_bytes() -> None:
    """SDM table 4-7; the flags below bit 5 of CR3 do not count."""
    memory = wide_ram({ROOT + 0x20: POINTER, DIRECTORY: DOWN, TABLE: wide(frame=9)})
    of = ControlRegisters(PG | 1, ROOT + 0x20 + 0x18, PAE)
    assert both(memory, of, 0).physical == 0x9000
    assert decode_page_tables(memory, of).tables.tolist() == [ROOT + 0x20, DIRECTORY, TABLE]


TOP = wide(frame=POINTERS >> 12, writable=True, user=True)


def four(
    top: int = TOP,
    pointer: int = wide(frame=DIRECTORY >> 12, writable=True, user=True),
    directory: int = DOWN,
    page: int = wide(frame=0x77, writable=True, user=True),
) -> ByteRam:
    """Build tables in which the last 512 GiB' first page goes through all four entries."""
    return wide_ram({ROOT + 511 * 8: top, POINTERS: pointer, DIRECTORY: directory, TABLE: page})


LONG = registers(PAE, LME | NXE)
HIGHEST = 0xFFFFFF8000000000


def test_four_levels_and_a_canonical_address() -> None:
    found = both(four(), LONG, HIGHEST)
    assert (found.physical, found.writable, found.user) == (0x77000, True, True)
    assert [step.level for step in found.steps] == [4, 3, 2, 1]
    not_canonical = walk(four(), LONG, 0x0000FF8000000000)
    assert not_canonical.fault is not None
    assert not_canonical.fault.reason == "address is not canonical"


@pytest.mark.parametrize("level", [4, 3, 2, 1])
@pytest.mark.parametrize("taken", [1 << 1, 1 << 2, 1 << 63])
def test_four_levels_each_can_take_a_right(level: int, taken: int) -> None:
    names = {4: "top", 3: "pointer", 2: "directory", 1: "page"}
    frames = {4: POINTERS, 3: DIRECTORY, 2: TABLE, 1: 0x77000}
    entry = (frames[level] | 7) ^ taken
    found = both(four(**{names[level]: entry}), LONG, HIGHEST)
    assert found.writable == (taken != 1 << 1)
    assert found.user == (taken != 1 << 2)
    assert found.executable == (taken != 1 << 63)


def test_pages_of_one_gigabyte_and_two_megabytes() -> None:
    huge = both(four(pointer=wide(frame=0x80000, bit7=True)), LONG, HIGHEST)
    assert (huge.physical, huge.page_size) == (0x80000000, 1 << 30)
    big = both(four(directory=wide(frame=0x400, bit7=True)), LONG, HIGHEST)
    assert (big.physical, big.page_size) == (0x400000, 2 << 20)


@pytest.mark.parametrize(
    ("name", "bit", "good"),
    [
        ("top", 7, False),  # table 4-15
        ("top", 40, False),
        ("top", 51, False),
        ("top", 52, True),  # ignored
        ("pointer", 40, False),
        ("pointer", 62, True),
        ("directory", 51, False),
        ("page", 40, False),
        ("page", 7, True),  # PAT
        ("page", 58, True),
    ],
)
def test_four_levels_reserved_bits(name: str, bit: int, good: bool) -> None:
    """With MAXPHYADDR 40."""
    frames = {"top": POINTERS, "pointer": DIRECTORY, "directory": TABLE, "page": 0x77000}
    found = both(four(**{name: frames[name] | 7 | 1 << bit}), LONG, HIGHEST)
    assert (found.fault is None) == good


@pytest.mark.parametrize("level", ["top", "pointer", "directory", "page"])
def test_no_execute_is_reserved_without_nxe(level: str) -> None:
    frames = {"top": POINTERS, "pointer": DIRECTORY, "directory": TABLE, "page": 0x77000}
    memory = four(**{level: frames[level] | 7 | 1 << 63})
    assert both(memory, registers(PAE, LME), HIGHEST).fault is not None


def test_without_paging_addresses_are_physical() -> None:
    off = ControlRegisters(1, ROOT, PSE)
    assert walk(ram(), off, 0x1234).physical == 0x1234
    space = decode_page_tables(ram(), off)
    assert (space.mode, len(space.mappings), len(space.tables)) == ("none", 0, 0)


def test_a_table_outside_ram_is_a_fault() -> None:
    memory = ram()
    memory.set_word(ROOT, small(frame=0x99999))
    fault = both(memory, registers(), 0).fault
    assert fault is not None
    assert (fault.level, fault.reason) == (2, "no RAM at table 0x99999000")
    [noted] = decode_page_tables(memory, registers()).faults
    assert noted.chain == (ROOT, 0x99999000)
    assert noted.message.startswith("the PDE for virtual 0x0-0x3fffff is 0x99999001, but there is ")


def test_a_root_outside_ram_is_a_fault() -> None:
    space = decode_page_tables(ram(), ControlRegisters(PG, 0xFF000, 0))
    assert [fault.chain for fault in space.faults] == [(0xFF000,)]
    assert len(space.mappings) == 0


def test_a_recursive_slot_maps_the_tables() -> None:
    memory = two_levels(small(frame=TABLE >> 12, writable=True), small(frame=0x77))
    memory.set_word(ROOT + 4 * 1023, small(frame=ROOT >> 12))
    space = decode_page_tables(memory, registers())
    window = {int(m["virtual"]): int(m["physical"]) for m in space.mappings}
    assert window == {0xC0000000: 0x77000, 0xFFF00000: TABLE, 0xFFFFF000: ROOT}
    assert space.tables.tolist() == [ROOT, TABLE, ROOT]
    assert space.table_virtual.tolist() == [0, 0xC0000000, 0xFFC00000]


def test_a_table_is_listed_once_for_each_reference() -> None:
    memory = ram()
    memory.set_word(ROOT, small(frame=TABLE >> 12))
    memory.set_word(ROOT + 4, small(frame=TABLE >> 12))
    assert decode_page_tables(memory, registers()).tables.tolist() == [ROOT, TABLE, TABLE]


def test_tables_that_refer_to_themselves_everywhere_end() -> None:
    """Four levels of 512 references to one table would be 2^36 pages."""
    memory = ram()
    memory.set_entries(ROOT, [ROOT | 7] * 512, 8)
    space = decode_page_tables(memory, LONG)
    assert any("the rest is left out" in fault.message for fault in space.faults)
    assert len(space.mappings) < 1 << 23


def test_a_million_bad_entries_are_summed_up() -> None:
    memory = ram()
    memory.set_entries(ROOT, [small(frame=0x99000)] * 1024, 4)
    faults = decode_page_tables(memory, registers()).faults
    assert len(faults) < 30
    assert "and 1003 more" in faults[-1].message


@pytest.mark.parametrize(
    ("mask", "names"),
    [
        (0, ""),
        (1 << 21, "bit 21"),
        (0x1E, "bit 1 (R/W), bit 2 (U/S), bit 3 (PWT), bit 4 (PCD)"),
        (1 << 7 | 0x1FE000, "bit 7 (PS), bits 13-20"),
        (3 << 62, "bit 62, bit 63 (XD)"),
        (5 << 20, "bit 20, bit 22"),
    ],
)
def test_names_of_bits(mask: int, names: str) -> None:
    assert bit_names(mask) == names


def test_bits_is_a_mask_of_both_ends() -> None:
    assert (bits(31, 12), bits(0, 0), bits(3, 4)) == (0xFFFFF000, 1, 0)


def test_mappings_are_owned() -> None:
    memory = two_levels(small(frame=TABLE >> 12), small(frame=0x77))
    space = decode_page_tables(memory, registers())
    memory.set_word(TABLE, 0)
    assert space.mappings["entry"].tolist() == [0x77001]
    assert np.all(space.mappings["virtual"][1:] > space.mappings["virtual"][:-1])
