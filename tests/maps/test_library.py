"""The shipped maps: all of them, in every notation."""

from __future__ import annotations

import json
from importlib import resources

import pytest

from harness.maps import library
from harness.maps.json_form import format_json
from harness.maps.memory_map import MemoryMap
from harness.maps.notation import format_compact
from harness.maps.parse import parse_maps
from harness.maps.region import Region
from tests.maps.printed import linux_3, linux_6, old_linux

ALL = library.all_maps()


def test_has_every_map_of_its_file() -> None:
    text = resources.files("harness.maps").joinpath("firmware-maps.json").read_text()
    expected = [
        (item["name"], [(each["base"], each["length"], each["type"]) for each in item["entries"]])
        for item in json.loads(text)
    ]
    found = [
        (each.name, [(entry.base, entry.length, entry.type) for entry in each.entries])
        for each in ALL
    ]
    assert found == expected
    assert len(found) == 99


def test_names_are_unique_and_found() -> None:
    assert len(set(library.names())) == len(ALL)
    assert [library.get(name) for name in library.names()] == list(ALL)


def test_every_map_tells_where_it_comes_from() -> None:
    assert all(each.source and each.entries for each in ALL)


def test_an_unknown_name_is_told_its_neighbours() -> None:
    with pytest.raises(library.UnknownMap, match=r"did you mean .*hyperv-gen1-2G") as raised:
        library.get("hyperv-gen1-2")
    assert "hyperv-gen1-2G" in raised.value.nearest
    assert isinstance(raised.value, KeyError)


def test_a_name_like_no_other_gets_no_hint() -> None:
    with pytest.raises(library.UnknownMap, match=r"called '\?\?\?'$"):
        library.get("???")


def test_a_map_from_a_public_log_is_as_it_was_printed() -> None:
    """QEMU 7.2's ``-M pc -m 64`` under SeaBIOS, read off its Multiboot information."""
    assert library.get("meas-qemu7.2-pc-64M").entries == (
        Region(0, 0x9FC00, 1),
        Region(0x9FC00, 0x400, 2),
        Region(0xF0000, 0x10000, 2),
        Region(0x100000, 0x3EE0000, 1),
        Region(0x3FE0000, 0x20000, 2),
        Region(0xFFFC0000, 0x40000, 2),
    )


@pytest.mark.parametrize("memory_map", ALL, ids=lambda each: each.name)
def test_round_trips_in_every_notation(memory_map: MemoryMap) -> None:
    assert parse_maps(format_json([memory_map]), "x.json") == [memory_map]
    (compact,) = parse_maps(format_compact(memory_map), "--map")
    assert (compact.name, compact.entries) == (memory_map.name, memory_map.entries)
    for printed in (linux_3, linux_6, old_linux):
        (logged,) = parse_maps(printed(memory_map), "dmesg.txt")
        assert logged.entries == memory_map.entries
