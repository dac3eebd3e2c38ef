"""A big machine's map in a small guest.

Addresses above a pivot of 16 MiB (1 MiB in a guest that has no more than 16 MiB) are divided by a
power of two. What makes a map hard survives: every border keeps its offset within a page, all
borders keep their order, and what is apart stays apart. Islands of a page or less, gaps, overlaps
and zero lengths are still there, only closer together. 512 MiB with an ISA hole, in 64 MiB::

    0   15M 16M                          511M  512M          divided by 16 above 16 MiB
    |----|==|------------------------------|====|
    0   15M 16M     46.9M  47M
    |----|==|-----------|===|
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace

from harness.maps.memory_map import MEBIBYTE, MemoryMap
from harness.maps.pc import ram_ranges
from harness.maps.region import FOUR_GIB, PAGE_SIZE, MemoryType, Region

ISA_LIMIT = 16 * MEBIBYTE
"""ISA bus masters reach up to here (24 address lines); holes below it keep their place."""

MAX_SHIFT = 52
"""No two pages of a 64-bit address space are this far apart: all borders move together."""


def scale(memory_map: MemoryMap, memory: int) -> MemoryMap:
    """Return ``memory_map`` so that a PC with ``memory`` bytes of RAM has all RAM that it claims.

    A map that fits is returned as it is. The smallest power of two that makes it fit is taken;
    where none does, what is usable is cut off at the end of RAM.
    """
    if fits(memory_map, memory):
        return memory_map
    for pivot in (ISA_LIMIT, MEBIBYTE):
        for shift in _shifts(memory_map, pivot, memory):
            smaller = _divided(memory_map, pivot, shift)
            if fits(smaller, memory):
                return smaller
    return _cut(_divided(memory_map, MEBIBYTE, MAX_SHIFT), memory)


def fits(memory_map: MemoryMap, memory: int) -> bool:
    """Return whether each usable byte of the map is RAM on a PC with ``memory`` bytes of it."""
    ranges = _certain_ram(memory)
    return all(
        any(ram.start <= region.base and region.end <= ram.stop for ram in ranges)
        for region in memory_map.usable_regions()
    )


def _certain_ram(memory: int) -> tuple[range, ...]:
    """Return where there is RAM, whether a PC splits up to 4 GiB of it or keeps it in one piece."""
    ranges = ram_ranges(memory)
    return ranges if memory > FOUR_GIB else ranges[:1]


def _shifts(memory_map: MemoryMap, pivot: int, memory: int) -> range:
    """Return the shifts, ascending, that bring all usable memory below where RAM ends.

    A greater shift moves no border up, so the first one can be found by bisection.
    """
    end = _certain_ram(memory)[-1].stop
    shifts = range(1, MAX_SHIFT + 1)
    first = bisect_left(
        shifts, True, key=lambda shift: _divided(memory_map, pivot, shift).top <= end
    )
    return shifts[first:]


def _divided(memory_map: MemoryMap, pivot: int, shift: int) -> MemoryMap:
    """Return the map with the distance of its borders from ``pivot`` divided by 2**shift."""
    borders = {at for entry in memory_map.entries for at in (entry.base, entry.end)}
    place = _places(sorted(borders), pivot, shift)
    entries = (
        Region(place[entry.base], place[entry.end] - place[entry.base], entry.type)
        for entry in memory_map.entries
    )
    note = f"scaled by 1/{1 << shift} above {pivot // MEBIBYTE} MiB"
    return replace(
        memory_map,
        entries=tuple(entries),
        note=f"{memory_map.note}; {note}" if memory_map.note else note,
    )


def _places(borders: list[int], pivot: int, shift: int) -> dict[int, int]:
    """Return where each of the ascending ``borders`` goes."""
    places: dict[int, int] = {}
    behind = 0
    for border in borders:
        place = border if border <= pivot else _divide(border, pivot, shift)
        if place < behind:
            place += -(-(behind - place) // PAGE_SIZE) * PAGE_SIZE
        places[border] = place
        behind = place + 1
    return places


def _divide(address: int, pivot: int, shift: int) -> int:
    """Divide the distance of ``address`` from ``pivot`` in whole pages."""
    pages, offset = divmod(address - pivot, PAGE_SIZE)
    return pivot + (pages >> shift) * PAGE_SIZE + offset


def _cut(memory_map: MemoryMap, memory: int) -> MemoryMap:
    """Return the map with its usable entries cut off where contiguous RAM ends."""
    end = _certain_ram(memory)[0].stop
    entries = (
        replace(entry, length=max(0, min(entry.end, end) - entry.base))
        if entry.type == MemoryType.USABLE and entry.base <= end
        else entry
        for entry in memory_map.entries
        if entry.type != MemoryType.USABLE or entry.base <= end
    )
    return replace(memory_map, entries=tuple(entries), note=f"{memory_map.note}; cut off")
