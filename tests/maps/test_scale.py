"""Scaling: what is claimed fits, and what makes a map hard survives."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.maps import library
from harness.maps.memory_map import MemoryMap
from harness.maps.region import Region
from harness.maps.scale import scale
from tests.maps.strategies import any_maps

KIB = 1 << 10
MIB = 1 << 20
GIB = 1 << 30
SIZES = (2, 4, 8, 16, 17, 64, 255, 896, 1024, 3583, 3584, 5120)


def beyond_ram(memory_map: MemoryMap, memory: int) -> list[Region]:
    """Return the usable regions that are not wholly RAM; 3 GiB stay low from 3.5 GiB on."""
    low = memory if memory < 3584 * MIB else 3 * GIB
    high = range(4 * GIB, 4 * GIB + memory - low)
    return [
        region
        for region in memory_map.usable_regions()
        if region.end > low and not (region.base >= high.start and region.end <= high.stop)
    ]


def borders(memory_map: MemoryMap) -> list[int]:
    """Return base and end of each entry in the firmware's order."""
    return [at for entry in memory_map.entries for at in (entry.base, entry.end)]


def order(values: list[int]) -> list[int]:
    """Return the rank of each value; equal values have one rank."""
    ranks = {value: rank for rank, value in enumerate(sorted(set(values)))}
    return [ranks[value] for value in values]


@pytest.mark.parametrize("memory_map", library.all_maps(), ids=lambda each: each.name)
def test_every_shipped_map_fits_with_its_shape_kept(memory_map: MemoryMap) -> None:
    for memory in (mebibytes * MIB for mebibytes in SIZES):
        scaled = scale(memory_map, memory)
        assert beyond_ram(scaled, memory) == []
        assert [each.type for each in scaled.entries] == [each.type for each in memory_map.entries]
        assert order(borders(scaled)) == order(borders(memory_map))
        for before, behind in zip(borders(memory_map), borders(scaled), strict=True):
            assert behind % 4096 == before % 4096
            assert behind <= before
            assert behind == before or before > MIB


@pytest.mark.parametrize("memory_map", library.all_maps(), ids=lambda each: each.name)
def test_no_more_is_divided_than_must_be(memory_map: MemoryMap) -> None:
    """Half of the guest's RAM above 16 MiB is spanned, but for a MiB that islands may take up."""
    if memory_map.top > 64 * MIB:
        assert scale(memory_map, 64 * MIB).top > 16 * MIB + (64 - 16) // 2 * MIB - MIB


@given(any_maps(), st.integers(1, 6 * GIB))
def test_any_map_fits_any_guest(memory_map: MemoryMap, memory: int) -> None:
    assert beyond_ram(scale(memory_map, memory), memory) == []


def test_a_map_that_fits_is_left_alone() -> None:
    memory_map = MemoryMap.pc(64 * MIB)
    assert scale(memory_map, 64 * MIB) is memory_map
    assert scale(memory_map, GIB) is memory_map


def test_divides_the_distance_from_16_mib() -> None:
    memory_map = MemoryMap((Region(MIB, 511 * MIB, 1), Region(512 * MIB, 64 * KIB, 3)))
    scaled = scale(memory_map, 64 * MIB)
    assert scaled.entries == (Region(MIB, 46 * MIB, 1), Region(47 * MIB, 4 * KIB, 3))
    assert scaled.note == "scaled by 1/16 above 16 MiB"


def test_divides_the_distance_from_1_mib_in_the_smallest_guests() -> None:
    scaled = scale(MemoryMap((Region(MIB, 63 * MIB, 1),)), 4 * MIB)
    assert scaled.entries == (Region(MIB, 63 * MIB // 32 // 4096 * 4096, 1),)


def test_the_isa_hole_stays_where_it_is() -> None:
    hole = Region(15 * MIB, MIB, 2)
    assert hole in scale(library.get("isa-hole-via-512M"), 32 * MIB).entries


def test_islands_of_a_page_and_less_stay_apart() -> None:
    islands = tuple(Region(512 * MIB + 8192 * at, 4096 - 512 * at, 1) for at in range(4))
    scaled = scale(MemoryMap((Region(0, 512 * MIB - 4096, 1), *islands)), 64 * MIB)
    assert [each.length for each in scaled.entries[1:]] == [4096, 3584, 3072, 2560]
    assert all(before.end < behind.base for before, behind in pairwise(scaled.entries))


def test_up_to_4_gib_nothing_above_is_claimed() -> None:
    """A PC may have been told to keep 3.5 GiB in one piece: then nothing is left for above."""
    memory_map = MemoryMap((Region(MIB, 3 * GIB - MIB, 1), Region(4 * GIB, GIB // 2, 1)))
    assert scale(memory_map, 3584 * MIB).top <= 3 * GIB
    assert scale(memory_map, 5 * GIB) is memory_map


def test_more_islands_than_pages_are_cut_off() -> None:
    islands = tuple(Region(MIB + 8192 * at, 4096, 1) for at in range(1000))
    scaled = scale(MemoryMap(islands), 2 * MIB)
    assert beyond_ram(scaled, 2 * MIB) == []
    assert sum(len(run) for run in scaled.usable_frames()) == 128
