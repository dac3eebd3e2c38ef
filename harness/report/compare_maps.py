"""How two memory maps differ: in their entries as given, and in what they claim."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from harness.maps.memory_map import MemoryMap
from harness.report.map_text import region_text

MOST = 40
"""Lines of either comparison."""


def compare_maps(left: MemoryMap, right: MemoryMap) -> list[str]:
    """Return lines for people: ``-`` stands in ``left`` alone, ``+`` in ``right`` alone.

    Maps that claim the same by other entries are told apart from maps that claim something else.
    """
    lines = list(_words(left, right))
    if left.entries == right.entries:
        return lines
    lines += ["entries as given:", *_difference(left, right)]
    normal = left.normalised(), right.normalised()
    if normal[0].entries == normal[1].entries:
        return [*lines, "in order and with overlaps resolved they claim the same"]
    return [*lines, "in order, overlaps resolved:", *_difference(*normal)]


def _words(left: MemoryMap, right: MemoryMap) -> Iterator[str]:
    for name in ("name", "source", "note", "tags"):
        before, after = getattr(left, name), getattr(right, name)
        if before != after:
            yield f"{name}: {before!r} and {after!r}"


def _difference(left: MemoryMap, right: MemoryMap) -> list[str]:
    before, after = ([region_text(region) for region in one.entries] for one in (left, right))
    lines = [line for line in difflib.ndiff(before, after) if not line.startswith("?")]
    more = [f"… and {len(lines) - MOST} more lines"] if len(lines) > MOST else []
    return [f"  {line}" for line in lines[:MOST]] + more
