"""The compact notation: a memory map that fits into one shell argument.

An entry is a range and a type. A range is written in one of three ways::

    0-9fc00            from START up to END, which does not belong to it
    100000+3f00000     from BASE, LENGTH bytes
    63M@1M             LENGTH bytes at BASE

A number is hexadecimal, with or without ``0x``, unless it ends in K, M, G or T (powers of 1024):
then it is decimal. A type is ``usable`` (``ram``), ``reserved``, ``acpi``, ``nvs``, ``bad``
(``unusable``), or a number, decimal or with ``0x``, before which ``type`` may stand.

Entries are separated by commas, semicolons or line ends; ``#`` begins a comment. Order, overlaps
and lengths of zero are kept. ``NAME:`` at the beginning of a line begins a map, so that a file can
hold many; one alone needs no name::

    laptop: 0-9fc00 usable, 9fc00-a0000 reserved, 63M@1M usable
    odd:    0-9f800 usable; 100000+ff000 usable     # one page short of 2 MiB
            fec00000-fec01000 type 12
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.maps.memory_map import MemoryMap
from harness.maps.region import ADDRESS_SPACE, Region, type_name
from harness.maps.syntax import MapSyntaxError, number, region_from_to, type_number

_PIECE = re.compile(r"[^,;]+")
_WORD = re.compile(r"[^\s\-+@]+")
_OPERATOR = re.compile(r"[-+@]")
_TYPE = re.compile(r"\S+(?:\s+\S+)*")
_TYPE_WORD = re.compile(r"type\s+", re.IGNORECASE)
_NAME = re.compile(r"[^\s:#]+(?: [^\s:#]+)*")


class _MisfitError(Exception):
    """Text that is not what was expected at ``offset`` of a line yet unnumbered."""

    def __init__(self, offset: int, message: str) -> None:
        super().__init__(message)
        self.offset = offset


def parse_compact(text: str, filename: str) -> list[MemoryMap]:
    """Return the maps that ``text`` holds; raise :class:`MapSyntaxError`."""
    maps: list[tuple[str, list[Region]]] = []
    for line_number, line in enumerate(text.split("\n"), 1):
        content = line.partition("#")[0].rstrip()
        name, colon, _ = content.partition(":")
        if colon:
            maps.append((name.strip(), []))
        try:
            entries = list(_entries(content, len(name) + 1 if colon else 0))
        except _MisfitError as misfit:
            raise MapSyntaxError(filename, line_number, misfit.offset + 1, str(misfit)) from None
        if entries and not maps:
            maps.append(("", []))
        if entries:
            maps[-1][1].extend(entries)
    if not maps:
        raise MapSyntaxError(filename, 1, 1, 'expected an entry such as "0-9fc00 usable"')
    return [MemoryMap(tuple(entries), name=name) for name, entries in maps]


def format_compact(memory_map: MemoryMap) -> str:
    """Return ``memory_map`` on one line; :func:`parse_compact` gives its name and entries back.

    A name that the notation cannot hold (with a colon, a hash or odd spaces) is left out.
    """
    entries = ", ".join(_format(entry) for entry in memory_map.entries)
    if _NAME.fullmatch(memory_map.name):
        return f"{memory_map.name}: {entries}".rstrip()
    return entries or ":"


def _format(entry: Region) -> str:
    if entry.length and entry.end <= ADDRESS_SPACE:
        return f"{entry.base:x}-{entry.end:x} {type_name(entry.type)}"
    return f"{entry.base:x}+{entry.length:x} {type_name(entry.type)}"


def _entries(line: str, start: int) -> Iterator[Region]:
    """Return the entries of ``line`` from offset ``start`` on."""
    for piece in _PIECE.finditer(line, start):
        if piece[0].strip():
            yield _entry(line, piece.start(), piece.end())


def _entry(line: str, start: int, end: int) -> Region:
    """Return the entry at ``start``..``end`` of ``line``."""
    first, at = _number(line, start, end)
    at = _skip_blank(line, at, end)
    operator = _OPERATOR.match(line, at, end)
    if not operator:
        raise _MisfitError(at, 'expected "-" and an end, "+" and a length, or "@" and a base')
    second, at = _number(line, at + 1, end)
    type_ = _type(line, at, end)
    try:
        return _region(first, operator[0], second, type_)
    except ValueError as error:
        raise _MisfitError(_skip_blank(line, start, end), f"expected a range: {error}") from None


def _region(first: int, operator: str, second: int, type_: int) -> Region:
    if operator == "-":
        return region_from_to(first, second, type_)
    return Region(first, second, type_) if operator == "+" else Region(second, first, type_)


def _number(line: str, start: int, end: int) -> tuple[int, int]:
    """Return the number that stands at ``start``, and the offset behind it."""
    at = _skip_blank(line, start, end)
    word = _WORD.match(line, at, end)
    value = number(word[0]) if word else None
    if word is None or value is None:
        found = f", found {_shown(word[0])}" if word else ""
        raise _MisfitError(at, f"expected a number such as 9fc00, 0x9fc00 or 640K{found}")
    return value, word.end()


def _type(line: str, start: int, end: int) -> int:
    at = _skip_blank(line, start, end)
    words = _TYPE.match(line, at, end)
    value = type_number(_TYPE_WORD.sub("", words[0], count=1)) if words else None
    if value is None:
        found = f", found {_shown(words[0])}" if words else ""
        raise _MisfitError(
            at, f"expected a type: usable, reserved, acpi, nvs, bad or a number{found}"
        )
    return value


def _shown(word: str) -> str:
    """Return ``word`` for a message, of bounded length and without control characters."""
    return ascii(word if len(word) <= 30 else word[:27] + "...")


def _skip_blank(line: str, at: int, end: int) -> int:
    while at < end and line[at].isspace():
        at += 1
    return at
