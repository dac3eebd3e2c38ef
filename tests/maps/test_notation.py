"""The compact notation: what it means, what it refuses and where."""

from __future__ import annotations

import pytest
from hypothesis import given

from harness.maps.memory_map import MemoryMap
from harness.maps.notation import format_compact, parse_compact
from harness.maps.region import Region
from harness.maps.syntax import MapSyntaxError
from tests.maps.strategies import NAMES, any_maps

LOW = Region(0, 0x9FC00, 1)


def entries(text: str) -> list[tuple[int, int, int]]:
    """Return base, length and type of each entry of the only map of ``text``."""
    (memory_map,) = parse_compact(text, "map")
    return [(each.base, each.length, each.type) for each in memory_map.entries]


@pytest.mark.parametrize(
    "text",
    [
        "0-9fc00 usable",
        "0x0-0x9FC00 usable",
        "0+9fc00 ram",
        "639K@0 usable",
        "639k @ 0 USABLE",
        "639KiB@0x0 1",
        " 0 - 9fc00   type 1 ",
        "0-639K usable",
        "# all of it\n\n0-9fc00 usable # conventional memory\r\n",
        ",;0-9fc00 usable;,",
    ],
)
def test_ways_to_write_one_entry(text: str) -> None:
    assert entries(text) == [(0, 0x9FC00, 1)]


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("usable", 1),
        ("reserved", 2),
        ("acpi", 3),
        ("nvs", 4),
        ("bad", 5),
        ("unusable", 5),
        ("12", 12),
        ("0x101", 257),
        ("type 0", 0),
        ("type 4294967295", 0xFFFFFFFF),
    ],
)
def test_types(name: str, number: int) -> None:
    assert entries(f"0-1000 {name}") == [(0, 0x1000, number)]


@pytest.mark.parametrize(
    ("number", "value"),
    [
        ("10", 0x10),
        ("1M", 1 << 20),
        ("10K", 10 << 10),
        ("3g", 3 << 30),
        ("1TB", 1 << 40),
        ("ffffffffffffffff", (1 << 64) - 1),
    ],
)
def test_numbers(number: str, value: int) -> None:
    assert entries(f"{number}+1 usable") == [(value, 1, 1)]


def test_keeps_order_overlaps_and_zero_lengths() -> None:
    text = "100000-200000 usable, 0-9fc00 usable; 0-a0000 reserved\n5000-5000 bad"
    assert entries(text) == [
        (0x100000, 0x100000, 1),
        (0, 0x9FC00, 1),
        (0, 0xA0000, 2),
        (0x5000, 0, 5),
    ]


def test_ends_at_and_wraps_behind_2_to_the_64() -> None:
    text = "fffffffffffff000-10000000000000000 usable, fffffffffffff000+2000 usable"
    assert entries(text) == [((1 << 64) - 4096, 4096, 1), ((1 << 64) - 4096, 8192, 1)]


def test_a_name_at_the_beginning_of_a_line_begins_a_map() -> None:
    maps = parse_compact("a b: 0-1 usable,\n 2-3 bad\nnone:\nc:\n4-5 acpi\n", "map")
    assert maps == [
        MemoryMap((Region(0, 1, 1), Region(2, 1, 5)), name="a b"),
        MemoryMap((), name="none"),
        MemoryMap((Region(4, 1, 3),), name="c"),
    ]


@pytest.mark.parametrize(
    ("text", "line", "column", "expected"),
    [
        ("", 1, 1, "expected an entry"),
        (" # nothing\n", 1, 1, "expected an entry"),
        ("0-9fc00", 1, 8, "expected a type"),
        ("0-9fc00, 1-2 ram", 1, 8, "expected a type"),
        ("0-9fc00 usble", 1, 9, "expected a type.*found 'usble'"),
        ("0-9fc00 type", 1, 9, "expected a type.*found 'type'"),
        ("0-9fc00 4294967296", 1, 9, "expected a type"),
        ("0-9fc00 usable 2", 1, 9, "expected a type"),
        ("0-9fc00 usable\n\n  zz-1 ram", 3, 3, "expected a number.*found 'zz'"),
        ("0-1 ram; 0- ram", 1, 13, "expected a number.*found 'ram'"),
        ("0-1 ram; 0-", 1, 12, "expected a number"),
        ("-1 ram", 1, 1, "expected a number"),
        ("ffK-1 ram", 1, 1, "expected a number.*found 'ffK'"),
        ("name: 0 9fc00 usable", 1, 9, 'expected "-"'),
        ("2000-1000 ram", 1, 1, "the end 0x1000 lies before the start 0x2000"),
        ("0-1 ram, 0-10000000000000001 ram", 1, 10, r"lies behind 2\*\*64"),
        ("0-10000000000000000 ram", 1, 1, "length .* is no unsigned 64-bit number"),
        ("1@10000000000000000 ram", 1, 1, "base .* is no unsigned 64-bit number"),
        ("99999999999999999999T@0 ram", 1, 1, "length .* is no unsigned 64-bit number"),
        ("a:0-1 ram\nb:0-1 x", 2, 7, "expected a type"),
        ("a: b: 0-1 ram", 1, 4, "expected a number.*found 'b:'"),
        ("\x1b[31m", 1, 1, r"found '\\x1b\[31m'"),
    ],
)
def test_syntax_errors(text: str, line: int, column: int, expected: str) -> None:
    with pytest.raises(MapSyntaxError, match=expected) as raised:
        parse_compact(text, "odd.map")
    assert (raised.value.filename, raised.value.line, raised.value.column) == (
        "odd.map",
        line,
        column,
    )
    assert str(raised.value).startswith(f"odd.map:{line}:{column}: ")


@given(any_maps())
def test_entries_round_trip(memory_map: MemoryMap) -> None:
    assert parse_compact(format_compact(memory_map), "map") == [memory_map]


@given(any_maps(), NAMES)
def test_names_round_trip(memory_map: MemoryMap, name: str) -> None:
    text = format_compact(MemoryMap(memory_map.entries, name=name))
    (found,) = parse_compact(text, "map")
    assert found.entries == memory_map.entries
    assert found.name == name or "  " in name


@pytest.mark.parametrize("name", ["a:b", "a#b", "a\nb", " a", "a "])
def test_a_name_that_the_notation_cannot_hold_is_left_out(name: str) -> None:
    text = format_compact(MemoryMap((LOW,), name=name))
    assert parse_compact(text, "map") == [MemoryMap((LOW,))]


def test_is_one_readable_line() -> None:
    memory_map = MemoryMap((LOW, Region(0x100000, 0, 2), Region(1 << 20, 1 << 20, 12)), name="pc")
    assert format_compact(memory_map) == (
        "pc: 0-9fc00 usable, 100000+0 reserved, 100000-200000 type 12"
    )
