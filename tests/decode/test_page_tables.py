"""The walk over whole spaces against a slow one, written for each mode from the manual's text."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.decode.belief.paging import ControlRegisters
from harness.decode.page_tables import decode_page_tables
from harness.decode.page_walk import walk
from tests.decode.memory import ByteRam

PG, PSE, PAE, NXE = 1 << 31, 1 << 4, 1 << 5, 1 << 11
FRAMES = 8
Page = tuple[int, int, bool, bool, bool]
"""Physical address, size, writable, user, executable."""


def slow_32(ram: ByteRam, root: int, pse: bool, virtual: int) -> Page | None:
    """SDM 4.3, in the order of its text; MAXPHYADDR 36."""
    pde = ram.word(root + (virtual >> 22) * 4)
    if pde % 2 == 0:
        return None
    writable, user = bool(pde & 2), bool(pde & 4)
    if pse and pde & 0x80:
        if pde & 0x003E0000:  # bits 21:17
            return None
        physical = (pde >> 22 << 22) + ((pde >> 13) % 16 << 32)
        return physical, 0x400000, writable, user, True
    table = pde & 0xFFFFF000
    if table >= FRAMES * 4096:
        return None
    pte = ram.word(table + (virtual >> 12) % 1024 * 4)
    if pte % 2 == 0:
        return None
    return pte & 0xFFFFF000, 0x1000, writable and bool(pte & 2), user and bool(pte & 4), True


def slow_pae(ram: ByteRam, root: int, nxe: bool, virtual: int) -> Page | None:
    """SDM 4.4; MAXPHYADDR 36."""

    def entry(table: int, index: int) -> int | None:
        if table >= FRAMES * 4096:
            return None
        return int.from_bytes(ram.read(table + index * 8, 8), "little")

    pdpte = entry(root, virtual >> 30)
    assert pdpte is not None
    if not pdpte & 1 or pdpte & 0x1E6 or pdpte >> 36:
        return None
    top = 63 if nxe else 64
    table, rights = pdpte & 0xFFFFFF000, (True, True, True)
    for shift in (21, 12):
        found = entry(table, (virtual >> shift) % 512)
        if found is None or not found & 1 or (found % (1 << top)) >> 36:
            return None
        mine = (bool(found & 2), bool(found & 4), not (nxe and found >> 63))
        rights = tuple(a and b for a, b in zip(rights, mine, strict=True))
        if shift == 21 and found & 0x80:
            if found & 0x1FE000:
                return None
            return found & 0xFFFE00000, 0x200000, *rights
        table = found & 0xFFFFFF000
    return table, 0x1000, *rights


def scatter(seed: int, size: int) -> ByteRam:
    """Fill a few frames with entries, most of them absent, most of them leading to each other."""
    chance = random.Random(seed)
    ram = ByteRam(range(FRAMES * 4096))
    for _ in range(chance.randrange(5, 120)):
        frame = chance.choice([*range(FRAMES), 0xFFFFF, 0x12345])
        flags = chance.choice([1, 3, 5, 7, 0x81, 0x83, 0x87, 0x101, 0])
        extra = chance.choice([0, 0, 0, 0x2000, 0x20000, 0x200000])
        entry = frame << 12 | flags | extra
        if size == 8 and chance.random() < 0.2:
            entry |= 1 << chance.choice([35, 36, 52, 62, 63])
        index = chance.choice([chance.randrange(4), chance.randrange(4096 // size)])
        address = chance.randrange(FRAMES) * 4096 + index * size
        ram.write(address, (entry % (1 << size * 8)).to_bytes(size, "little"))
    return ram


SPACE = st.integers(0, (1 << 32) - 1)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1 << 30), st.booleans(), st.lists(SPACE, max_size=20))
def test_32_bit(seed: int, pse: bool, addresses: list[int]) -> None:
    ram = scatter(seed, 4)
    of = ControlRegisters(PG, 0x1000, PSE if pse else 0)
    compare(ram, of, addresses, lambda virtual: slow_32(ram, 0x1000, pse, virtual))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1 << 30), st.booleans(), st.lists(SPACE, max_size=20))
def test_pae(seed: int, nxe: bool, addresses: list[int]) -> None:
    ram = scatter(seed, 8)
    of = ControlRegisters(PG, 0x1000, PAE, NXE if nxe else 0)
    compare(ram, of, addresses, lambda virtual: slow_pae(ram, 0x1000, nxe, virtual))


def compare(ram: ByteRam, of: ControlRegisters, addresses: list[int], slow: object) -> None:
    """Compare three walks at every page that the whole-space walk found, and elsewhere."""
    assert callable(slow)
    space = decode_page_tables(ram, of)
    names = ("physical", "size", "writable", "user", "executable")
    pages = {int(m["virtual"]): tuple(m[n].item() for n in names) for m in space.mappings}
    assert len(pages) == len(space.mappings)
    assert list(pages) == sorted(pages)
    starts = list(pages)[:200]
    for virtual in [*starts, *addresses, *(s + pages[s][1] for s in starts)]:
        if virtual >= 1 << 32:
            continue
        expected = slow(virtual)
        found = [pages[v] for v in {virtual & ~mask for mask in MASKS} if holds(pages, v, virtual)]
        assert found == ([expected] if expected else []), hex(virtual)
        one = walk(ram, of, virtual)
        assert (one.fault is None) == (expected is not None)
        if expected is not None:
            offset = virtual % expected[1]
            rights = (one.writable, one.user, one.executable)
            assert (one.physical, one.page_size, *rights) == (
                expected[0] + offset,
                *expected[1:],
            )


MASKS = (0xFFF, 0x1FFFFF, 0x3FFFFF)


def holds(pages: dict[int, tuple[int, ...]], start: int, virtual: int) -> bool:
    return start in pages and start <= virtual < start + pages[start][1]


def test_four_gib_of_small_pages() -> None:
    """All of a 32-bit space: 1,024 tables, a million pages."""
    tables = 1024
    ram = ByteRam(range(0x1000, 0x1000 + (tables + 1) * 4096))
    ram.set_entries(0x1000, [0x2000 + i * 4096 | 3 for i in range(tables)], 4)
    whole = b"".join((i << 12 | 3).to_bytes(4, "little") for i in range(1 << 20))
    ram.write(0x2000, whole)
    space = decode_page_tables(ram, ControlRegisters(PG, 0x1000, 0))
    assert len(space.mappings) == 1 << 20
    assert (space.mappings["virtual"] == space.mappings["physical"]).all()
    assert space.mappings["writable"].all()
    assert not space.mappings["user"].any()
    assert len(space.tables) == 1025
