"""Maps as JSON: round trips, and where an error stands."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.maps.json_form import format_json, parse_json
from harness.maps.json_position import offset_of
from harness.maps.memory_map import MemoryMap
from harness.maps.region import Region
from harness.maps.syntax import MapSyntaxError
from tests.maps.strategies import any_maps

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=12,
)


@given(st.lists(any_maps(), max_size=3), st.text(), st.lists(st.text()))
def test_round_trip(maps: list[MemoryMap], text: str, tags: list[str]) -> None:
    told = [MemoryMap(each.entries, text, text, text, tuple(tags)) for each in maps]
    assert parse_json(format_json(told), "x.json") == told


def test_one_map_alone_and_numbers_as_text() -> None:
    text = '{"entries": [{"base": "0x100000", "length": "63M", "type": "usable"}]}'
    assert parse_json(text, "x.json") == [MemoryMap((Region(0x100000, 63 << 20, 1),))]


@pytest.mark.parametrize(
    ("text", "line", "column", "expected"),
    [
        ("[", 1, 2, "no valid JSON"),
        ('[{"entries": [\n  {"base": 0,, }]}]', 2, 14, "no valid JSON"),
        ("[1]", 1, 2, "expected a map"),
        ("[\n {},\n {}]", 2, 2, 'expected "entries"'),
        ('[{"entries": 5}]', 1, 14, "expected a list of entries"),
        ('{"entries": [[]]}', 1, 14, "expected an entry"),
        ('{"entries": [{"base": 0, "length": 1}]}', 1, 14, 'expected "type"'),
        ('{"entries": [{"base": 0, "length": -1, "type": 1}]}', 1, 36, '"length" an unsigned 64'),
        ('{"entries": [{"base": 1.5, "length": 1, "type": 1}]}', 1, 23, '"base" an unsigned 64'),
        ('{"entries": [{"base": true, "length": 1, "type": 1}]}', 1, 23, '"base" an unsigned 64'),
        ('{"entries": [{"base": 0, "length": 1, "type": 4294967296}]}', 1, 47, "unsigned 32-bit"),
        ('{"entries": [{"base": "x", "length": 1, "type": 1}]}', 1, 23, '"base" an unsigned 64'),
        ('{"entries": [], "name": 3}', 1, 25, '"name" a string'),
        ('{"entries": [], "tags": ["a", 3]}', 1, 25, '"tags" a list of strings'),
        ("[" * 100_000, 1, 1, "nested too deeply"),
        ("1" * 5000, 1, 1, "too many digits"),
    ],
)
def test_syntax_errors(text: str, line: int, column: int, expected: str) -> None:
    with pytest.raises(MapSyntaxError, match=expected) as raised:
        parse_json(text, "odd.json")
    assert (raised.value.line, raised.value.column) == (line, column)


@given(VALUES, st.sampled_from([None, 1, "\t"]), st.data())
def test_offset_of_any_value(value: object, indent: int | str | None, data: st.DataObject) -> None:
    text = f" {json.dumps(value, indent=indent)}"
    path: tuple[int | str, ...] = ()
    while isinstance(value, list | dict) and value and data.draw(st.booleans()):
        steps = range(len(value)) if isinstance(value, list) else list(value)
        step = data.draw(st.sampled_from(steps))
        path, value = (*path, step), value[step]
    assert json.JSONDecoder().raw_decode(text, offset_of(text, path))[0] == value
