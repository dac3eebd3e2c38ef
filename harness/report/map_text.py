"""A memory map drawn in text."""

from __future__ import annotations

from harness.maps.memory_map import MemoryMap
from harness.maps.region import Region
from harness.report.units import about

_TYPE_NAMES = {1: "usable", 2: "reserved", 3: "ACPI data", 4: "ACPI NVS", 5: "bad"}
_MARKS = {1: "█", 2: "░", 3: "▒", 4: "▒", 5: "!"}


def type_name(number: int) -> str:
    """Return a Multiboot memory type in words."""
    return _TYPE_NAMES.get(number, f"type {number}")


def map_text(memory_map: MemoryMap) -> str:
    """Return the entries as given, then the normal form with the gaps between."""
    heading = memory_map.name or "map"
    lines = [heading, *(f"  {line}" for line in (memory_map.note, memory_map.source) if line)]
    lines.append("  as given:")
    lines += [f"    {region_text(region)}" for region in memory_map.entries]
    lines.append("  in order, overlaps resolved:")
    position = 0
    for region in memory_map.normalised().entries:
        if region.base > position:
            lines.append(f"    {position:#014x}-{region.base:#014x}  (gap)")
        lines.append(f"  {_MARKS.get(region.type, '░')} {region_text(region)}")
        position = region.end
    frames = sum(len(run) for run in memory_map.usable_frames())
    lines.append(f"  {frames} whole frames usable below 4 GiB, {about(frames * 4096)}")
    return "\n".join(lines)


def region_text(region: Region) -> str:
    """Return one region: first byte, first byte behind it, size, type."""
    return (
        f"{region.base:#014x}-{region.end:#014x}  {about(region.length):>10}  "
        f"{type_name(region.type)}"
    )
