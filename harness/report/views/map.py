"""``map``: the firmware's memory map, and what became of each part of it."""

from __future__ import annotations

from argparse import Namespace
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from harness.check.inspect import Inspection
from harness.check.ledger import FREE
from harness.check.observation import Observation
from harness.check.ownership import OwnedFrames, owned_frames
from harness.check.runs import FRAME_SIZE, inward, outward
from harness.maps.region import FOUR_GIB, Region
from harness.report.map_text import region_text
from harness.report.units import about
from harness.report.views.lines import bounded
from harness.report.views.view import Answer, View


def show_map(seen: Observation, options: Namespace) -> Answer:
    """Return each region of the map in order, with the owners of its frames."""
    given, found = seen.guest.memory_map, seen.inspection
    regions = given.normalised().entries
    lines = [f"firmware map: {len(given.entries)} entries; in order, overlaps resolved:"]
    lines += bounded(_all_lines(found, regions), "lines")
    return Answer("\n".join(lines), [_json(found, region) for region in regions])


def _all_lines(found: Inspection, regions: tuple[Region, ...]) -> Iterator[str]:
    position = 0
    for region in regions:
        if region.base > position:
            yield f"{position:#014x}-{region.base:#014x}  {about(region.base - position):>10}  gap"
        yield region_text(region)
        yield from _region_lines(found, region)
        position = region.end


def _region_lines(found: Inspection, region: Region) -> Iterator[str]:
    if not region.usable:
        for run in _taken_anyway(found, region):
            yield f"  frames {_frames(run)}: {run.words}, but it is not usable"
        return
    for owner, runs in _by_owner(found, region):
        count = sum(run.count for run in runs)
        more = f" and {len(runs) - 1} more places" if len(runs) > 1 else ""
        yield (
            f"  {count:>7} frames  {about(count * FRAME_SIZE):>10}  {owner}: "
            f"{_frames(runs[0])}{more}"
        )
    for start, end in _partial(region):
        yield f"  {end - start:>7} bytes   {'':>10}  lost, a part of a frame: {start:#x}-{end:#x}"
    if region.end > FOUR_GIB:
        yield f"  {about(region.end - max(region.base, FOUR_GIB))} lie beyond 4 GiB"


def _by_owner(found: Inspection, region: Region) -> list[tuple[str, list[OwnedFrames]]]:
    """Return the whole frames of a region by owner, the free ones first, then the most."""
    owners: dict[str, list[OwnedFrames]] = defaultdict(list)
    for run in owned_frames(found, inward(range(region.base, min(region.end, FOUR_GIB)))):
        owners[run.words].append(run)
    order = sorted(owners.items(), key=lambda item: -sum(run.count for run in item[1]))
    return sorted(order, key=lambda item: item[0] != FREE)


def _taken_anyway(found: Inspection, region: Region) -> Iterator[OwnedFrames]:
    """Yield frames of a region that is not usable which somebody has all the same."""
    for run in owned_frames(found, outward(range(region.base, min(region.end, FOUR_GIB)))):
        if len(run.owners) > 1:
            yield run


def _partial(region: Region) -> Iterator[tuple[int, int]]:
    """Yield the bytes at a region's borders that fill no frame."""
    first, last = -(-region.base // FRAME_SIZE) * FRAME_SIZE, region.end // FRAME_SIZE * FRAME_SIZE
    if first >= last:
        if first > last:
            yield region.base, region.end
        return
    if region.base < first:
        yield region.base, first
    if last < region.end:
        yield last, region.end


def _frames(run: OwnedFrames) -> str:
    return f"{run.first * FRAME_SIZE:#x}-{run.end * FRAME_SIZE:#x}"


def _json(found: Inspection, region: Region) -> dict[str, Any]:
    whole = _by_owner(found, region) if region.usable else []
    return {
        "base": region.base,
        "length": region.length,
        "type": region.type,
        "frames": {owner: sum(run.count for run in runs) for owner, runs in whole},
        "partial": [list(part) for part in _partial(region)] if region.usable else [],
    }


MAP = View(
    name="map",
    summary="Show the firmware's memory map and what became of each part of it.",
    details="Owners are those of the ledger, made of every structure that was decoded.",
    show=show_map,
)
