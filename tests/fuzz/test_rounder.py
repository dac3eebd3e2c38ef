"""Rounder numbers are rounder, and near."""

from __future__ import annotations

import pytest

from harness.fuzz.rounder import rounder_regions, rounder_sizes
from harness.maps.region import ADDRESS_SPACE, Region

MIB = 1 << 20


def test_a_round_region_stays_as_it_is() -> None:
    assert list(rounder_regions(Region(0, 1 << 30, 1))) == []


def test_ends_go_to_the_nearest_round_places_first() -> None:
    found = list(rounder_regions(Region(0, 37 * MIB + 5, 1)))
    ends = [region.end for region in found]
    assert ends[:4] == [32 * MIB, 48 * MIB, 37 * MIB, 38 * MIB]


@pytest.mark.parametrize("base", [1, 0x9FC37, ADDRESS_SPACE - 1])
@pytest.mark.parametrize("length", [0, 1, 4097, ADDRESS_SPACE - 1])
def test_all_are_regions_that_firmware_may_give(base: int, length: int) -> None:
    region = Region(base, length, 0x101)
    found = list(rounder_regions(region))
    assert region not in found
    assert found[0].type == 2


def test_sizes_become_one_or_a_power_of_two() -> None:
    assert list(rounder_sizes(100)) == [1, 64]
    assert list(rounder_sizes(64)) == [1]
    assert list(rounder_sizes(1)) == list(rounder_sizes(0)) == []
