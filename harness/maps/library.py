"""The memory maps of real machines that the package ships, by name.

``firmware-maps.json`` beside this file holds them, from a 386 with 8 MiB to servers, each with the
public place where its firmware's answer was reported.
"""

from __future__ import annotations

import difflib
from functools import cache
from importlib import resources

from harness.maps.json_form import parse_json
from harness.maps.memory_map import MemoryMap

DATA = "firmware-maps.json"


class UnknownMap(KeyError):
    """A name that no map of the library has; ``nearest`` are the names most like it."""

    def __init__(self, name: str, nearest: tuple[str, ...]) -> None:
        super().__init__(name)
        self.name = name
        self.nearest = nearest

    def __str__(self) -> str:
        """Return the sentence for people."""
        hint = f"; did you mean {' or '.join(self.nearest)}?" if self.nearest else ""
        return f"no memory map is called {self.name!r}{hint}"


@cache
def all_maps() -> tuple[MemoryMap, ...]:
    """Return all maps of the library, in the order of its file."""
    text = resources.files(__package__).joinpath(DATA).read_text(encoding="utf-8")
    return tuple(parse_json(text, DATA))


def names() -> tuple[str, ...]:
    """Return the names of all maps, in the order of the library's file."""
    return tuple(known.name for known in all_maps())


def get(name: str) -> MemoryMap:
    """Return the map called ``name``; raise :class:`UnknownMap` with the nearest names."""
    for known in all_maps():
        if known.name == name:
            return known
    raise UnknownMap(name, tuple(difflib.get_close_matches(name, names(), n=3)))
