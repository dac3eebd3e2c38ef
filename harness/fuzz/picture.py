"""A picture of a finding's machine: its map, what lies in its memory, what is wrong there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from harness.check.violation import Violation
from harness.machine.guest import Guest
from harness.machine.multiboot import Placement
from harness.maps.region import ADDRESS_SPACE, PAGE_SIZE, MemoryType, Region
from harness.report.address_picture import Box, Column, address_picture
from harness.report.map_text import type_name

_COLOURS: dict[int, str] = {
    MemoryType.USABLE: "#9fd99b",
    MemoryType.RESERVED: "#c9c9c9",
    MemoryType.ACPI: "#9ec9e2",
    MemoryType.NVS: "#6c9fc4",
    MemoryType.BAD: "#8c6d6d",
}
_UNKNOWN, _RAM, _KERNEL, _PLACED, _WRONG = "#c3a6d8", "#e6f2e5", "#f5b26b", "#f7dfa0", "#e8544f"


def machine_picture(title: str, guest: Guest, violations: Iterable[Violation]) -> str:
    """Return an SVG picture of a guest's physical memory, and of what is wrong there."""
    memory_map, image = guest.memory_map, guest.kernel.image_range()
    lies = [Box(image.start, image.stop, "kernel image", _KERNEL), *_placed(guest.placements)]
    columns = [
        Column(
            "RAM", tuple(Box(one.start, one.stop, "RAM", _RAM) for one in guest.ram.ranges if one)
        ),
        Column("the map's entries", tuple(_regions(memory_map.entries))),
        Column("in order, overlaps resolved", tuple(_regions(memory_map.normalised().entries))),
        Column("what lies there", tuple(lies)),
        Column("what is wrong", tuple(_wrong(violations))),
    ]
    return address_picture(title, [column for column in columns if column.boxes])


def _regions(regions: Iterable[Region]) -> Iterator[Box]:
    for region in regions:
        if region.length:
            colour = _COLOURS.get(region.type, _UNKNOWN)
            end = min(region.end, ADDRESS_SPACE)
            yield Box(region.base, end, type_name(region.type), colour)


def _placed(placements: Sequence[Placement]) -> Iterator[Box]:
    """Yield what the boot loader left, small things that lie close together as one."""
    close: list[Placement] = []
    for placement in sorted(placements, key=lambda one: one.start):
        if not placement.length:
            continue
        if close and placement.start - _end(close) > PAGE_SIZE // 4:
            yield _together(close)
            close = []
        close.append(placement)
    if close:
        yield _together(close)


def _end(placements: Sequence[Placement]) -> int:
    return max(one.start + one.length for one in placements)


def _together(placements: Sequence[Placement]) -> Box:
    names = ", ".join(one.name for one in placements)
    return Box(placements[0].start, _end(placements), names, _PLACED)


def _wrong(violations: Iterable[Violation]) -> Iterator[Box]:
    """Yield the physical memory that violations are about, each part once."""
    seen: set[tuple[int, int]] = set()
    for violation in violations:
        if violation.address is None or not violation.physical:
            continue
        start = violation.address
        end = start + (violation.length or 1)
        if (start, end) not in seen:
            seen.add((start, end))
            yield Box(start, end, violation.kind, _WRONG)
