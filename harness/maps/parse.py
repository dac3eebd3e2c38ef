"""Memory maps from text in any notation: JSON, a kernel's log, or the compact notation.

Which one it is shows in the text: JSON begins with ``{``, or with ``[`` and what may follow it
there; a log has at least one line that shows an entry; everything else is the compact notation.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import replace
from pathlib import Path

from harness.maps.dmesg import parse_dmesg
from harness.maps.json_form import parse_json
from harness.maps.memory_map import MemoryMap
from harness.maps.notation import parse_compact
from harness.maps.syntax import MapSyntaxError, error_at

MAX_SIZE = 8 << 20
"""Bytes in the longest file, characters in the longest text: some days of a kernel's log."""

MAX_ENTRIES = 1 << 16
"""Entries in all maps of a text: far more than any firmware or fuzzer gives."""

_JSON = re.compile(r"\s*(?:\{|\[\s*(?:[\[{\"\]]|$))")


def parse_maps(text: str, filename: str) -> list[MemoryMap]:
    """Return the maps that ``text`` holds, at least one.

    ``filename`` is for the messages of :class:`MapSyntaxError`, which is raised for text in no
    notation, for a damaged line, and for text of more than ``MAX_SIZE`` characters.
    """
    if len(text) > MAX_SIZE:
        raise MapSyntaxError(filename, 1, 1, f"too long for memory maps: over {MAX_SIZE >> 20} MiB")
    if "\0" in text:
        raise error_at(filename, text, text.index("\0"), "expected text, found a zero byte")
    maps = _parse(text, filename)
    if sum(len(each.entries) for each in maps) > MAX_ENTRIES:
        raise MapSyntaxError(filename, 1, 1, f"expected no more than {MAX_ENTRIES} entries")
    return maps


def load_maps(path: str | Path) -> list[MemoryMap]:
    """Return the maps of a file; raise OSError, or :class:`MapSyntaxError` as parse_maps does.

    A map without a name gets the file's, numbered from the second on.
    """
    with Path(path).open("rb") as file:
        data = file.read(MAX_SIZE + 1)
    if len(data) > MAX_SIZE:
        raise MapSyntaxError(
            str(path), 1, 1, f"too long for memory maps: over {MAX_SIZE >> 20} MiB"
        )
    maps = parse_maps(_decoded(data), str(path))
    stem = Path(path).stem
    return [
        each if each.name else replace(each, name=f"{stem}-{number}" if number > 1 else stem)
        for number, each in enumerate(maps, 1)
    ]


def _parse(text: str, filename: str) -> list[MemoryMap]:
    if not _JSON.match(text):
        return parse_dmesg(text, filename) or parse_compact(text, filename)
    maps = parse_json(text, filename)
    if not maps:
        raise MapSyntaxError(filename, 1, 1, "expected a map, found an empty list")
    return maps


def _decoded(data: bytes) -> str:
    """Return the text of a file; a log may hold stray bytes, which are of no interest."""
    utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return data.decode("utf-16" if utf16 else "utf-8-sig", errors="replace")
