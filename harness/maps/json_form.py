"""Memory maps as JSON: the form of the library's own file.

A map is an object, a file a list of them or one alone::

    {"name": "small", "source": "", "note": "", "tags": [],
     "entries": [{"base": 0, "length": 654336, "type": 1},
                 {"base": "0x100000", "length": "63M", "type": "usable"}]}

Only ``entries`` must be there. JSON has no hexadecimal numbers: a string may hold what the compact
notation calls a number or a type.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from harness.maps.json_position import Step, offset_of
from harness.maps.memory_map import MemoryMap
from harness.maps.region import Region
from harness.maps.syntax import MapSyntaxError, error_at, number, type_number


class _MisfitError(Exception):
    """A value that is not what was expected; ``path`` leads to it."""

    def __init__(self, path: tuple[Step, ...], message: str) -> None:
        super().__init__(message)
        self.path = path


def parse_json(text: str, filename: str) -> list[MemoryMap]:
    """Return the maps of a JSON document; raise :class:`MapSyntaxError`."""
    document = _load(text, filename)
    try:
        if isinstance(document, list):
            return [_map(item, (index,)) for index, item in enumerate(document)]
        return [_map(document, ())]
    except _MisfitError as misfit:
        raise error_at(filename, text, offset_of(text, misfit.path), str(misfit)) from None


def format_json(maps: Iterable[MemoryMap]) -> str:
    """Return ``maps`` as a JSON list that :func:`parse_json` reads back."""
    return json.dumps([to_json(each) for each in maps], indent=1, ensure_ascii=False)


def to_json(memory_map: MemoryMap) -> dict[str, Any]:
    """Return ``memory_map`` as the object that stands for it in JSON."""
    return {
        "name": memory_map.name,
        "source": memory_map.source,
        "note": memory_map.note,
        "entries": [
            {"base": entry.base, "length": entry.length, "type": int(entry.type)}
            for entry in memory_map.entries
        ],
        "tags": list(memory_map.tags),
    }


def _load(text: str, filename: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise MapSyntaxError(
            filename, error.lineno, error.colno, f"no valid JSON: {error.msg}"
        ) from None
    except RecursionError:
        raise MapSyntaxError(filename, 1, 1, "JSON nested too deeply for a memory map") from None
    except ValueError:
        raise MapSyntaxError(filename, 1, 1, "JSON with a number of too many digits") from None


def _map(item: object, path: tuple[Step, ...]) -> MemoryMap:
    if not isinstance(item, dict):
        raise _MisfitError(path, 'expected a map: an object with "entries"')
    entries = _member(item, "entries", path)
    if not isinstance(entries, list):
        raise _MisfitError((*path, "entries"), "expected a list of entries")
    return MemoryMap(
        tuple(_entry(entry, (*path, "entries", at)) for at, entry in enumerate(entries)),
        name=_text(item, "name", path),
        source=_text(item, "source", path),
        note=_text(item, "note", path),
        tags=_tags(item, path),
    )


def _entry(item: object, path: tuple[Step, ...]) -> Region:
    if not isinstance(item, dict):
        raise _MisfitError(path, 'expected an entry: an object with "base", "length" and "type"')
    return Region(
        _unsigned(item, "base", path, 64, number),
        _unsigned(item, "length", path, 64, number),
        _unsigned(item, "type", path, 32, type_number),
    )


def _unsigned(
    item: dict[str, Any],
    key: str,
    path: tuple[Step, ...],
    bits: int,
    read: Callable[[str], int | None],
) -> int:
    value = _member(item, key, path)
    if isinstance(value, str):
        value = read(value)
    if type(value) is int and 0 <= value < 1 << bits:
        return value
    raise _MisfitError((*path, key), f'expected for "{key}" an unsigned {bits}-bit number')


def _member(item: dict[str, Any], key: str, path: tuple[Step, ...]) -> Any:
    if key not in item:
        raise _MisfitError(path, f'expected "{key}" in this object')
    return item[key]


def _text(item: dict[str, Any], key: str, path: tuple[Step, ...]) -> str:
    value = item.get(key, "")
    if not isinstance(value, str):
        raise _MisfitError((*path, key), f'expected for "{key}" a string')
    return value


def _tags(item: dict[str, Any], path: tuple[Step, ...]) -> tuple[str, ...]:
    tags = item.get("tags", [])
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise _MisfitError((*path, "tags"), 'expected for "tags" a list of strings')
    return tuple(tags)
