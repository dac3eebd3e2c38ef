"""What is said of the difference between two states made by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from harness.check.changes import LIMIT
from harness.check.difference import difference
from harness.decode.belief.fault import DecodeFault
from harness.decode.belief.frames import Bitmap, Bump, BumpRange, Held, PairMap, PairZone
from harness.decode.belief.heaps import (
    SUBBLOCK_BLOCK,
    HeapArea,
    HeapBlock,
    LargeBlock,
    LargeBlocks,
    SubblockHeap,
)
from harness.decode.belief.paging import MAPPING
from harness.decode.belief.slabs import Cache, Caches, Damage, Slab
from harness.decode.belief.spaces import AddressSpaces, Space, UserRegion
from harness.decode.state import MemoryState
from tests.check import example

PAGE = 4096
WINDOW = example.WINDOW


def _bools(text: str) -> np.ndarray:
    return np.array([one == "1" for one in text], dtype=np.bool_)


def _bitmap(taken: str, **other: object) -> MemoryState:
    bitmap = Bitmap("frames", 0x10, _bools(taken), True, (), **other)  # type: ignore[arg-type]
    return replace(example.state(), bitmaps=(bitmap,))


def _bump(cursor: int) -> MemoryState:
    bump = Bump("early", (BumpRange(0x1000, cursor, 0x9000),), ())
    return replace(example.state(), bumps=(bump,))


def _pairs(bits: str) -> MemoryState:
    zone = PairZone(0, 0x8000, 1, (_bools(bits),))
    return replace(example.state(), pair_maps=(PairMap("pairs", (zone,)),))


def _held(taken: str) -> MemoryState:
    return replace(example.state(), held=Held(_bools(taken)))


def _mapped(*rows: tuple[object, ...]) -> MemoryState:
    state = example.state()
    kept = state.page_tables.mappings[state.page_tables.mappings["virtual"] != WINDOW]
    mappings = np.concatenate((kept, np.array(list(rows), dtype=MAPPING)))
    return replace(state, page_tables=replace(state.page_tables, mappings=mappings))


def _window(page: int, frame: int, **rights: bool) -> tuple[object, ...]:
    return example.mapping(WINDOW + page * PAGE, frame, **rights)


def _area(start: int, size: int, good: bool = True) -> MemoryState:
    block = HeapBlock(start, size, good)
    heap = replace(example.heap(), areas=(HeapArea(start, 2, True, block),))
    return replace(example.state(), heaps=(heap,))


def _large(size: int) -> MemoryState:
    block = LargeBlock(0xC0200000, np.array([0x200]), size, 1, True)
    return replace(
        example.state(), large_blocks=(LargeBlocks("large", (block,), 32, "heap", count=size // 9),)
    )


def _subblocks(text: str, spare: int = 0) -> MemoryState:
    blocks = np.array([(0xC0300000, 1, 0, 0)], dtype=SUBBLOCK_BLOCK)
    pieces = np.array([int(one) for one in text], dtype=np.uint8)
    heap = SubblockHeap("pieces", PAGE // len(pieces), 0, blocks, pieces, spare=spare)
    return replace(example.state(), subblock_heaps=(heap,))


def _slabs(*slabs: Slab) -> MemoryState:
    cache = Cache("inodes", 0xC0400000, 64, 64, 0, 0, 4, range(4000, 4096), slabs)
    return replace(example.state(), caches=(Caches("slab", (cache,), "slab"),))


def _slab(page: int, *free: int, damage: tuple[Damage, ...] = ()) -> Slab:
    listed = np.array(free, dtype=np.int64)
    return Slab(page, page // PAGE, "partial", 0xC0400000, True, listed, damage=damage)


def _space(number: int, *regions: UserRegion, current: bool = True) -> MemoryState:
    none = replace(
        example.page_tables(),
        mappings=np.zeros(0, dtype=MAPPING),
        tables=np.zeros(0, dtype=np.uint64),
        table_virtual=np.zeros(0, dtype=np.uint64),
    )
    entries = np.zeros(0, dtype=np.uint64)
    space = Space(number, 0xC0500000, 0x120000, current, entries, none, regions)
    return replace(example.state(), address_spaces=AddressSpaces((space,), (), None, "user"))


def _table(change: Callable[[MemoryState], None]) -> MemoryState:
    state = example.state()
    change(state)
    return state


def _own(name: str, frame: int, owned: bool) -> Callable[[MemoryState], None]:
    def change(state: MemoryState) -> None:
        assert state.frame_table is not None
        state.frame_table.owners[name][frame] = owned

    return change


def _share(state: MemoryState) -> None:
    assert state.frame_table is not None
    state.frame_table.users[example.RECORDS] = 2


STATE = example.state()
FAULT = DecodeFault("buddy, order 3", "leads to nothing", (0x1000,))


@pytest.mark.parametrize(
    ("before", "now", "lines"),
    [
        (
            _bitmap("00110"),
            _bitmap("01100"),
            {
                "bitmap frames: frame 0x11 (physical 0x11000) is taken now",
                "bitmap frames: frame 0x13 (physical 0x13000) is free now",
            },
        ),
        (
            _bitmap("0", free_count=5, cursor=1),
            _bitmap("0", free_count=4, cursor=2),
            {
                "bitmap frames: free frames by the kernel's count: 4, before 5",
                "bitmap frames: frame behind which the next search begins: 2, before 1",
            },
        ),
        (_bitmap("01"), _bitmap("", gone=True), {"bitmap frames: is no longer in use"}),
        (
            _bitmap("0"),
            STATE,
            {"bitmap frames: is no longer there, or cannot be decoded any more"},
        ),
        (STATE, _bitmap("0"), {"bitmap frames: is there now, and was not"}),
        (
            _bump(0x2000),
            _bump(0x2800),
            {"bump allocator early: 2048 bytes of the range at physical 0x1000 given out"},
        ),
        (
            _pairs("0100"),
            _pairs("0101"),
            {"pair map pairs: zone 0, order 0: the bit of pair 3 is 1 now"},
        ),
        (
            _held("0011"),
            _held("00001"),
            {
                "held frames: frame 0x4 (physical 0x4000) is held by callers of the frame "
                "interface now",
                "held frames: frames 0x2-0x3 (2, physical 0x2000-0x3fff) are no longer held by "
                "callers of the frame interface",
            },
        ),
        (
            STATE,
            _table(_own("held", example.RECORDS, owned=True)),
            {"frame table: frame 0x140 (physical 0x140000) is held now"},
        ),
        (
            STATE,
            _table(_own("metadata", example.RECORDS, owned=False)),
            {"frame table: frame 0x140 (physical 0x140000) is no longer metadata"},
        ),
        (
            STATE,
            _table(_share),
            {
                "frame table: frame 0x140 (physical 0x140000) is used by another number of users "
                "than before"
            },
        ),
        (
            _mapped(),
            _mapped(_window(0, 0x77), _window(1, 0x78)),
            {
                "page tables: virtual 0xffc00000-0xffc01fff is mapped now, to physical 0x77000, "
                "writable, the kernel's, executable, global"
            },
        ),
        (
            _mapped(_window(0, 0x77), _window(1, 0x20)),
            _mapped(),
            {
                "page tables: virtual 0xffc00000-0xffc01fff is no longer mapped; it was, to 2 "
                "frames, the first at physical 0x77000"
            },
        ),
        (
            _mapped(_window(0, 0x77)),
            _mapped(_window(0, 0x80)),
            {
                "page tables: virtual 0xffc00000-0xffc00fff is mapped to physical 0x80000, before "
                "to physical 0x77000"
            },
        ),
        (
            _mapped(_window(0, 0x77)),
            _mapped(_window(0, 0x77, writable=False, user=True)),
            {
                "page tables: virtual 0xffc00000-0xffc00fff is read-only, user, executable, "
                "global, before writable, the kernel's, executable, global"
            },
        ),
        (
            STATE,
            replace(STATE, registers=replace(STATE.registers, cr3=0x5000)),
            {"CPU: cr3: 0x5000, before 0x120000"},
        ),
        (
            _area(0xF8400000, 100),
            _area(0xF8404000, 200),
            {
                "heap blocks: block at virtual 0xf8404000, 200 bytes, is new",
                "heap blocks: block at virtual 0xf8400000, 100 bytes, is no longer there",
            },
        ),
        (
            _area(0xF8400000, 100),
            _area(0xF8400000, 104),
            {"heap blocks: block at virtual 0xf8400000 has 104 bytes, before 100"},
        ),
        (
            _area(0xF8400000, 100),
            _area(0xF8400000, 100, good=False),
            {"heap blocks: block at virtual 0xf8400000: its header is no longer what marks it"},
        ),
        (
            _large(9000),
            _large(18000),
            {
                "heap large: block at virtual 0xc0200000 has 18000 bytes, before 9000",
                "heap large: count by the kernel's count: 2000, before 1000",
            },
        ),
        (
            _subblocks("1100"),
            _subblocks("1123"),
            {
                "heap pieces: block at virtual 0xc0300800, 1024 bytes, is new",
                "heap pieces: block at virtual 0xc0300c00, 1024 bytes, is new",
            },
        ),
        (_subblocks("10"), _subblocks("10", spare=1), {"heap pieces: another block is kept empty"}),
        (
            _slabs(_slab(0xC0600000, 3, 1)),
            _slabs(_slab(0xC0600000, 1, 0)),
            {
                "caches slab: cache inodes: object at virtual 0xc06000c0 is live now",
                "caches slab: cache inodes: object at virtual 0xc0600000 is no longer live",
            },
        ),
        (
            _slabs(),
            _slabs(_slab(0xC0600000, 0, 1, 2, 3)),
            {"caches slab: cache inodes: slab at virtual 0xc0600000 is new"},
        ),
        (
            _slabs(_slab(0xC0600000, 0)),
            _slabs(_slab(0xC0600000, 0, damage=(Damage("poison", 0xC0600007, 0xC0600000, 0, 1),))),
            {"caches slab: cache inodes: poison at virtual 0xc0600007 was written over"},
        ),
        (
            _space(0),
            _space(0, UserRegion(0x1000, 3)),
            {"address space 0: the region at virtual 0x00001000 (3 pages) is new"},
        ),
        (
            _space(0, UserRegion(0x1000, 3, 0)),
            _space(0, UserRegion(0x1000, 3, 1), current=False),
            {
                "address space 0: in use: False, before True",
                "address space 0: pages of the region at virtual 0x00001000 with a frame of their "
                "own: 1, before 0",
            },
        ),
        (
            _space(0),
            _space(7),
            {
                "address space 0: is no longer there",
                "address space 7: is new; its directory is at physical 0x120000",
            },
        ),
        (
            STATE,
            replace(STATE, faults=(FAULT,)),
            {"decoding buddy, order 3: cannot be decoded any more: leads to nothing"},
        ),
        (
            replace(STATE, faults=(FAULT,)),
            STATE,
            {"decoding buddy, order 3: can be decoded now; before: leads to nothing"},
        ),
    ],
)
def test_each_change_is_told(before: MemoryState, now: MemoryState, lines: set[str]) -> None:
    found = difference(before, now)
    assert found
    assert set(str(found).splitlines()) == lines
    assert not difference(now, now)


def test_a_large_page_that_was_cut_up_is_one_change() -> None:
    large = (0x400000, 0x800000, 0x400000, True, False, True, False, 2, 0, 0)
    small = [
        (0x400000 + at * PAGE, 0x800000 + at * PAGE, PAGE, True, False, True, False, 1, 0, 0)
        for at in range(1024)
    ]
    before, now = _mapped(large), _mapped(*small)
    for state in (before, now):
        state.page_tables.mappings.sort(order="virtual")
    assert str(difference(before, now)) == (
        "page tables: virtual 0x00400000-0x007fffff is mapped by pages of 4096 bytes, before of "
        "4194304"
    )
    now.page_tables.mappings["physical"][5] += PAGE * 7
    assert "virtual 0x00405000-0x00405fff is mapped to physical 0x80c000, before to physical" in (
        str(difference(before, now))
    )


def test_a_page_at_the_end_of_all_addresses_is_compared() -> None:
    top = example.mapping((1 << 64) - PAGE, 5)
    text = str(difference(_mapped(), _mapped(top)))
    assert "virtual 0xfffffffffffff000-0xffffffffffffffff is mapped now" in text


def test_a_million_changes_are_counted() -> None:
    every_other = np.arange(1 << 20) % 2 == 0
    before = replace(STATE, held=Held(np.zeros(1 << 20, dtype=np.bool_)))
    found = difference(before, replace(STATE, held=Held(every_other)))
    assert len(found) == LIMIT + 1
    assert str(found).endswith(f"held frames: … and {(1 << 19) - LIMIT} more changes")


def test_free_blocks_are_told_by_frames_and_by_number() -> None:
    order, zone = 3, 1
    blocks = example.free_blocks().get((zone, order), [])
    new = [*blocks, 0x3F0]
    found = difference(STATE, example.with_list(STATE, zone, order, new))
    assert f"free lists buddy: blocks of order 3 in zone 1: {len(new)}, before {len(blocks)}" in (
        str(found)
    )
    assert found.about("free lists buddy") == found.changes
    assert found.about("heap blocks") == ()
