"""The normal form and the queries, against an oracle that looks at every single byte."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.maps.memory_map import MemoryMap
from harness.maps.region import MemoryType, Region
from tests.maps.strategies import any_maps, maps

GIB = 1 << 30
MIB = 1 << 20
PAGE = 4096
NOTHING = -1
ORDER = {1: 0, 2: 1, 3: 2, 4: 3, 5: 4}
"""How restrictive a type is; all others are as reserved."""

SMALL = maps(st.integers(0, 24))
PAGED = maps(
    st.builds(
        lambda page, offset: max(0, page * PAGE + offset), st.integers(0, 6), st.integers(-2, 2)
    )
)


def types_of_bytes(memory_map: MemoryMap, size: int) -> np.ndarray:
    """Return the type of each of the first ``size`` bytes: painted from mild to restrictive."""
    painted = np.full(size, NOTHING, dtype=np.int64)
    for entry in sorted(memory_map.entries, key=lambda each: (ORDER.get(each.type, 1), each.type)):
        painted[entry.base : entry.base + entry.length] = entry.type
    return painted


@given(SMALL)
def test_every_byte_keeps_its_most_restrictive_type(memory_map: MemoryMap) -> None:
    painted = types_of_bytes(memory_map, 64)
    assert np.array_equal(painted, types_of_bytes(memory_map.normalised(), 64))


@given(SMALL)
def test_usable_means_covered_by_usable_and_nothing_else(memory_map: MemoryMap) -> None:
    normal = memory_map.normalised()
    for address in range(64):
        types = {entry.type for entry in memory_map.entries if entry.contains(address)}
        usable = any(entry.usable and entry.contains(address) for entry in normal.entries)
        assert usable == (types == {1})


@given(any_maps())
def test_normal_form_is_sorted_disjoint_joined_and_stable(memory_map: MemoryMap) -> None:
    normal = memory_map.normalised()
    for before, behind in pairwise(normal.entries):
        assert before.end <= behind.base
        together = before.length + behind.length
        assert before.end < behind.base or before.type != behind.type or together == 1 << 64
    assert all(entry.length and entry.end <= 1 << 64 for entry in normal.entries)
    assert normal.normalised() == normal


@given(any_maps(), st.randoms())
def test_order_of_entries_is_of_no_importance(memory_map: MemoryMap, random) -> None:
    shuffled = list(memory_map.entries)
    random.shuffle(shuffled)
    assert MemoryMap(tuple(shuffled)).normalised() == memory_map.normalised()


@given(PAGED, st.integers(0, 14 * PAGE))
def test_a_frame_is_usable_when_each_of_its_bytes_is(memory_map: MemoryMap, limit: int) -> None:
    usable = types_of_bytes(memory_map, 14 * PAGE) == 1
    usable[limit:] = False
    expected = np.flatnonzero(usable.reshape(-1, PAGE).all(axis=1)).tolist()
    runs = memory_map.usable_frames(limit)
    assert [frame for run in runs for frame in run] == expected
    assert all(runs)
    assert all(before.stop < behind.start for before, behind in pairwise(runs))


@given(PAGED)
def test_usable_bytes_and_top_count_the_same_bytes(memory_map: MemoryMap) -> None:
    usable = np.flatnonzero(types_of_bytes(memory_map, 14 * PAGE) == 1)
    assert memory_map.usable_bytes == len(usable)
    assert memory_map.top == (usable[-1] + 1 if len(usable) else 0)


def test_adjacent_usable_entries_make_a_frame_together() -> None:
    memory_map = MemoryMap((Region(0x1000, 0x1800, 1), Region(0x2800, 0x1800, 1)))
    assert memory_map.usable_frames() == (range(1, 4),)


def test_frames_above_the_limit_are_left_out() -> None:
    memory_map = MemoryMap((Region(3 * GIB, 2 * GIB, 1),))
    assert memory_map.usable_frames() == (range(0xC0000, 0x100000),)
    assert memory_map.usable_frames(limit=8 * GIB) == (range(0xC0000, 0x140000),)


def test_what_wraps_is_cut_off_at_the_end_of_the_address_space() -> None:
    memory_map = MemoryMap((Region((1 << 64) - PAGE, 3 * PAGE, 2),))
    assert memory_map.normalised().entries == (Region((1 << 64) - PAGE, PAGE, 2),)


def test_normal_form_keeps_what_is_told_about_the_map() -> None:
    memory_map = MemoryMap((), name="a", source="b", note="c", tags=("d",))
    assert memory_map.normalised() == memory_map


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ((), 2 * MIB),
        (((0, 0x9FC00, 1),), 2 * MIB),
        (((MIB, 63 * MIB, 1),), 64 * MIB),
        (((MIB, 63 * MIB - 1, 1),), 64 * MIB),
        (((MIB, 63 * MIB + 1, 1),), 65 * MIB),
        (((MIB, 63 * MIB, 1), (64 * MIB, GIB, 3)), 64 * MIB),
        (((MIB, 63 * MIB, 1), (4 * GIB, GIB, 1)), 64 * MIB),
        (((2 * GIB, 3 * GIB, 1),), 4 * GIB),
    ],
)
def test_claimed_memory(entries: tuple[tuple[int, int, int], ...], expected: int) -> None:
    assert MemoryMap(tuple(Region(*entry) for entry in entries)).claimed_memory() == expected


def test_pc_map_of_64_mib() -> None:
    assert MemoryMap.pc(64 * MIB).entries == (
        Region(0, 0x9FC00, MemoryType.USABLE),
        Region(0x9FC00, 0x400, MemoryType.RESERVED),
        Region(0xF0000, 0x10000, MemoryType.RESERVED),
        Region(0x100000, 0x3F00000, MemoryType.USABLE),
        Region(0xFFFC0000, 0x40000, MemoryType.RESERVED),
    )


def test_pc_map_of_4_gib_goes_on_above_4_gib() -> None:
    memory_map = MemoryMap.pc(4 * GIB)
    usable = [(each.base, each.end) for each in memory_map.usable_regions()]
    assert usable == [(0, 0x9FC00), (MIB, 3 * GIB), (4 * GIB, 5 * GIB)]
