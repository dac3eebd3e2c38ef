"""Regions: bounds, borders, names of types."""

from __future__ import annotations

import pytest

from harness.maps.region import Region, type_name


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ((-1, 0, 1), "base"),
        ((1 << 64, 0, 1), "base"),
        ((0, -1, 1), "length"),
        ((0, 1 << 64, 1), "length"),
        ((0, 0, -1), "type"),
        ((0, 0, 1 << 32), "type"),
    ],
)
def test_refuses_what_an_entry_cannot_hold(fields: tuple[int, int, int], named: str) -> None:
    with pytest.raises(ValueError, match=f"^{named} "):
        Region(*fields)


def test_end_of_a_region_that_wraps_lies_behind_the_address_space() -> None:
    assert Region((1 << 64) - 1, 2, 1).end == (1 << 64) + 1


def test_contains_its_base_and_not_its_end() -> None:
    region = Region(0x1000, 0x1000, 1)
    assert [at for at in (0xFFF, 0x1000, 0x1FFF, 0x2000) if region.contains(at)] == [0x1000, 0x1FFF]


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (Region(0, 0x1000, 1), False),
        (Region(0, 0x1001, 1), True),
        (Region(0x1800, 1, 1), True),
        (Region(0x1800, 0, 1), False),
        (Region(0x1FFF, 5, 1), True),
        (Region(0x2000, 5, 1), False),
    ],
)
def test_intersects_when_a_byte_is_common(other: Region, expected: bool) -> None:
    region = Region(0x1000, 0x1000, 2)
    assert region.intersects(other) is expected
    assert other.intersects(region) is expected


@pytest.mark.parametrize(
    ("number", "name"),
    [(1, "usable"), (2, "reserved"), (3, "acpi"), (4, "nvs"), (5, "bad"), (0x101, "type 257")],
)
def test_names_of_types(number: int, name: str) -> None:
    assert type_name(number) == name
    assert str(Region(0x10, 0x20, number)) == f"[0x10, 0x30) {name}"


def test_only_type_1_is_usable() -> None:
    assert [number for number in (0, 1, 2, 5, 0x101) if Region(0, 1, number).usable] == [1]
