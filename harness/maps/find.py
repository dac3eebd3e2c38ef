"""Memory maps by what a person types for them."""

from __future__ import annotations

import re
from pathlib import Path

from harness.maps import library
from harness.maps.memory_map import MemoryMap
from harness.maps.parse import load_maps, parse_maps

ALL = "all"
"""The name that means each map of the library."""


def find_maps(name: str, where: str, folder: Path | None = None) -> list[MemoryMap]:
    """Return the maps that ``name`` means.

    It is ``all``, a map of the library, a file (relative to ``folder``, without one to the current
    folder), or a map in the compact notation itself. ``where`` it stands is for errors in the
    notation. Raise :class:`harness.maps.library.UnknownMap`,
    :class:`harness.maps.syntax.MapSyntaxError`, or FileNotFoundError for what must be a path.
    """
    if name == ALL:
        return list(library.all_maps())
    if name in library.names():
        return [library.get(name)]
    path = (folder or Path()) / name
    if _is_file(path):
        return load_maps(path)
    if re.search(r"[\s,@:]", name):
        return parse_maps(name, where)
    if name.startswith((".", "/", "~")):
        raise FileNotFoundError(f"there is no regular file {name}")
    return [library.get(name)]  # says that there is none, and which are near


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:
        return False  # a long map in the notation is too long for a file's name
