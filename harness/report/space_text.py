"""Address spaces and their user regions, in words and for programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from harness.decode.belief.paging import FRAME_SIZE
from harness.decode.belief.spaces import AddressSpaces, Space
from harness.report.ranges import mapped_ranges
from harness.report.units import about

_MOST_SPACES = 20
_MOST_REGIONS = 20


def spaces_text(spaces: AddressSpaces) -> str:
    """Return each address space, its regions, and how many pages of them are there."""
    lines = [f"address spaces: {len(spaces.spaces)}"]
    for space in spaces.spaces[:_MOST_SPACES]:
        current = ", current" if space.current else ""
        lines.append(
            f"  {space.number}: directory at physical {space.directory:#010x}{current}, "
            f"{len(space.user.mappings)} user pages, {len(space.regions)} regions"
        )
        lines += _regions(space)
    if len(spaces.spaces) > _MOST_SPACES:
        lines.append(f"  … and {len(spaces.spaces) - _MOST_SPACES} more")
    return "\n".join(lines)


def _regions(space: Space) -> Iterator[str]:
    for region in space.regions[:_MOST_REGIONS]:
        frames = "" if region.frames is None else f", {region.frames} with a frame of their own"
        yield (
            f"    {region.start:#010x}  {region.pages} pages, "
            f"{about(region.pages * FRAME_SIZE)}{frames}"
        )
    if len(space.regions) > _MOST_REGIONS:
        yield f"    … and {len(space.regions) - _MOST_REGIONS} more"


def spaces_json(spaces: AddressSpaces) -> dict[str, Any]:
    """Return address spaces as JSON values; user pages as ranges."""
    return {
        "map": [vars(part) for part in spaces.map],
        "zero_page": spaces.zero_page,
        "spaces": [_space(space) for space in spaces.spaces],
        "faults": [vars(fault) for fault in spaces.faults],
    }


def _space(space: Space) -> dict[str, Any]:
    return {
        "number": space.number,
        "directory": space.directory,
        "current": space.current,
        "tables": space.user.tables.tolist(),
        "ranges": [vars(one) for one in mapped_ranges(space.user)],
        "regions": [vars(region) for region in space.regions],
    }
