"""Virtual reads: joined where they can be, cut where they must be, bounded always."""

from __future__ import annotations

import numpy as np
import pytest

from harness.decode.address_space import MAX_READ, AddressSpace, NotReadable
from harness.decode.belief.paging import ControlRegisters
from harness.decode.page_tables import decode_page_tables
from tests.decode.entries import small
from tests.decode.memory import UNPAGED, ByteRam

PG = 1 << 31
VIRTUAL = 0xC0000000
FRAMES = [5, 6, 4, None, 7, 0x500]
"""What six pages from VIRTUAL map: two in order, two out of order, a hole, no RAM."""


@pytest.fixture
def space() -> AddressSpace:
    ram = ByteRam(range(0x8000))
    ram.set_word(0x1000 + 4 * 0x300, small(frame=2))
    for index, frame in enumerate(FRAMES):
        if frame is not None:
            ram.set_word(0x2000 + 4 * index, small(frame=frame))
    for frame in range(4, 8):
        ram.write(frame * 4096, bytes([frame]) * 4096)
    return AddressSpace(ram, decode_page_tables(ram, ControlRegisters(PG, 0x1000, 0)))


def test_one_stretch(space: AddressSpace) -> None:
    assert space.stretch(VIRTUAL + 0x123) == (0x5123, 0x2000 - 0x123)
    assert space.physical_ranges(VIRTUAL, 0x2000) == (range(0x5000, 0x7000),)
    assert space.array(VIRTUAL, "<u4", 1024).base is not None


def test_pages_out_of_order(space: AddressSpace) -> None:
    assert space.physical_ranges(VIRTUAL + 0x1FFE, 4) == (
        range(0x6FFE, 0x7000),
        range(0x4000, 0x4002),
    )
    assert space.read(VIRTUAL + 0x1FFE, 4) == bytes([6, 6, 4, 4])
    found = space.array(VIRTUAL + 0xFFE, "<u2", 0x802)
    assert found.tolist() == [0x0505] + [0x0606] * 0x800 + [0x0404]


def test_a_hole(space: AddressSpace) -> None:
    with pytest.raises(NotReadable, match="0xc0003000: not mapped"):
        space.read(VIRTUAL + 0x2FFF, 2)
    with pytest.raises(NotReadable):
        space.translate(VIRTUAL - 1)
    with pytest.raises(NotReadable):
        space.translate(0xFFFFFFFF)


def test_mapped_but_no_ram(space: AddressSpace) -> None:
    assert space.translate(VIRTUAL + 0x5000) == 0x500000
    with pytest.raises(NotReadable, match="no RAM"):
        space.read(VIRTUAL + 0x5000, 4)
    with pytest.raises(NotReadable, match="no RAM"):
        space.array(VIRTUAL + 0x5000, "u1", 1)


def test_many_at_once_agree_with_one_by_one(space: AddressSpace) -> None:
    addresses = [VIRTUAL + offset for offset in (-1, 0, 1, 0xFFF, 0x1FFF, 0x2000, 0x3000, 0x4FFF)]
    expected = []
    for address in addresses:
        try:
            expected.append(space.translate(address))
        except NotReadable:
            expected.append(-1)
    assert space.translate_all(np.array(addresses, dtype=np.uint64)).tolist() == expected
    assert expected[0] == -1
    assert expected[5:] == [0x4000, -1, 0x7FFF]


@pytest.mark.parametrize("length", [-1, MAX_READ + 1, 1 << 40])
def test_unreasonable_lengths(space: AddressSpace, length: int) -> None:
    with pytest.raises(NotReadable):
        space.read(VIRTUAL, length)


def test_nothing_mapped_and_no_paging() -> None:
    ram = ByteRam(range(0x8000))
    empty = AddressSpace(ram, decode_page_tables(ram, ControlRegisters(PG, 0x1000, 0)))
    assert empty.translate_all(np.array([0], dtype=np.uint64)).tolist() == [-1]
    with pytest.raises(NotReadable):
        empty.translate(0)
    assert AddressSpace(ram, decode_page_tables(ram, UNPAGED)).translate(0x1234) == 0x1234
