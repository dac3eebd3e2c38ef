"""What a memory map says of frames that a kernel treats wrongly, in words without numbers."""

from __future__ import annotations

from collections.abc import Iterator

from harness.maps.memory_map import MemoryMap
from harness.maps.region import PAGE_SIZE, MemoryType, Region

MOST_FRAMES = 64
"""Of a run, from its start: what is wrong with one of a million frames shows in these."""
IN_PART = "usable"
"""How the words begin for a frame that is usable in part."""
_KNOWN = set(MemoryType)


def claim(memory_map: MemoryMap, frames: range) -> str:
    """Return why ``frames``, a run of pfns, are not usable by the map.

    One that is usable in part is a matter of rounding. So a frame of which that cannot be said
    decides, if the run has one.
    """
    normal = memory_map.normalised().entries
    found = [_of_frame(memory_map.entries, normal, frame) for frame in frames[:MOST_FRAMES]]
    whole = [words for words in found if not words.startswith(IN_PART)]
    return (whole or found)[0]


def _of_frame(entries: tuple[Region, ...], normal: tuple[Region, ...], frame: int) -> str:
    start, end = frame * PAGE_SIZE, (frame + 1) * PAGE_SIZE
    usable = [region for region in _over(normal, start, end) if region.usable]
    if usable:
        return _how_far(usable, start, end)
    claims = list(_over(entries, start, end))
    if not claims:
        return "in no entry"
    if any(region.usable for region in claims):
        return "claimed both as usable and not"
    return "of a known type" if {one.type for one in claims} & _KNOWN else "of an unknown type"


def _how_far(usable: list[Region], start: int, end: int) -> str:
    """Say which part of the bytes [start, end) the ``usable`` regions over it cover."""
    first, last = usable[0].base <= start, usable[-1].end >= end
    if first and last:
        return "usable, without RAM" if len(usable) == 1 else "usable but for a gap"
    if first or last:
        return "usable at the start" if first else "usable at the end"
    return "usable in the middle"


def _over(regions: tuple[Region, ...], start: int, end: int) -> Iterator[Region]:
    """Yield the regions that have bytes in [start, end)."""
    return (one for one in regions if one.length and one.base < end and start < one.end)
