"""Telling the notations apart, files, and hostile text."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.maps.memory_map import MemoryMap
from harness.maps.parse import MAX_ENTRIES, MAX_SIZE, load_maps, parse_maps
from harness.maps.region import Region
from harness.maps.syntax import MapSyntaxError

LOW = Region(0, 0x9FC00, 1)


@pytest.mark.parametrize(
    "text",
    [
        "0-9fc00 usable",
        "pc: 639K@0 usable",
        '{"entries": [{"base": 0, "length": 654336, "type": 1}]}',
        ' \n[ {"entries": [{"base": 0, "length": 654336, "type": 1}]} ]',
        '{"note": "BIOS-e820: x", "entries": [{"base": 0, "length": 654336, "type": 1}]}',
        "[    0.000000] BIOS-e820: [mem 0x0000000000000000-0x000000000009fbff] usable",
        "[mem 0x0000000000000000-0x000000000009fbff] usable",
    ],
)
def test_tells_the_notations_apart(text: str) -> None:
    (memory_map,) = parse_maps(text, "text")
    assert memory_map.entries == (LOW,)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", "1:1"),
        ("[", "1:2"),
        ("[]", "1:1"),
        ("[1, 2]", "1:1"),
        ("# two\n0-1 ram\0", "2:8"),
        ("<html>", "1:1"),
        ("Linux version 6.1.0\n", "1:1"),
    ],
)
def test_an_error_has_file_line_and_column(text: str, place: str) -> None:
    with pytest.raises(MapSyntaxError, match=rf"^odd:{place}: .*(expected|no valid JSON)"):
        parse_maps(text, "odd")


def test_maps_without_a_name_get_the_files(tmp_path: Path) -> None:
    file = tmp_path / "bug-123.map"
    file.write_text(":0-1 ram\n:0-2 ram\nown: 0-3 ram")
    assert [each.name for each in load_maps(file)] == ["bug-123", "bug-123-2", "own"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "latin-1"])
def test_files_in_other_encodings(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "dmesg.txt"
    line = "BIOS-e820: [mem 0x0000000000000000-0x000000000009fbff] usable\r\n"
    file.write_bytes(f"DMI: Gerät\r\n{line}".encode(encoding))
    (memory_map,) = load_maps(str(file))
    assert memory_map.entries == (LOW,)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_maps(tmp_path / "none")


def test_a_file_that_is_too_long(tmp_path: Path) -> None:
    file = tmp_path / "long"
    with file.open("wb") as sparse:
        sparse.truncate(MAX_SIZE + 1)
    with pytest.raises(MapSyntaxError, match="over 8 MiB"):
        load_maps(file)


def test_as_many_entries_as_are_allowed_and_one_more() -> None:
    (memory_map,) = parse_maps("0-1 ram," * MAX_ENTRIES, "many")
    assert len(memory_map.entries) == MAX_ENTRIES
    with pytest.raises(MapSyntaxError, match="no more than 65536 entries"):
        parse_maps("0-1 ram," * (MAX_ENTRIES + 1), "many")


@pytest.mark.parametrize(
    "piece",
    [" ", "a", "0 ", "0-", "a:", "-", "[", '{"a":', "BIOS-e820: ", "f" * 16 + " - ", "a b c. "],
)
def test_long_hostile_lines_end_soon(piece: str) -> None:
    text = piece * (MAX_SIZE // 8 // len(piece))
    started = time.monotonic()
    with pytest.raises(MapSyntaxError):
        parse_maps(text, "hostile")
    assert time.monotonic() - started < 10


@given(st.text(max_size=80) | st.text('0123459abf-+@,;:# KMG\nusable[]{}"', max_size=80))
def test_any_text_is_maps_or_an_error_within_it(text: str) -> None:
    found = maps_or_error(text)
    if isinstance(found, MapSyntaxError):
        lines = text.split("\n")
        assert 1 <= found.line <= len(lines)
        assert 1 <= found.column <= len(lines[found.line - 1]) + 1
    else:
        assert found


def maps_or_error(text: str) -> list[MemoryMap] | MapSyntaxError:
    """Return what parsing ends in; let any other exception pass."""
    try:
        return parse_maps(text, "noise")
    except MapSyntaxError as error:
        return error
