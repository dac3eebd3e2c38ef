"""Changes to a memory map: an edge moved, a type flipped, an entry cut, doubled, all scaled, …"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

from harness.fuzz.surroundings import STEPS, Surroundings, place, step
from harness.maps.region import ADDRESS_SPACE, FOUR_GIB, PAGE_SIZE, Region

TYPES = (1, 1, 1, 2, 2, 3, 4, 5, 0, 6, 7, 12, 0x101, 0x101, 0x10001, 0x80000001, 0xFFFFFFFF)
"""Those that specifications name, and some that are usable memory's in fewer bits."""

PIVOTS = (1 << 20, 1 << 24)
FACTORS = (0.125, 0.25, 0.5, 2, 4)
"""By how much, from one of the pivots on, a whole map is scaled."""

Entries = list[Region]


def change_map(entries: Entries, around: Surroundings, random: Random) -> Entries:
    """Return other entries; the list that is given may change."""
    change = random.choice(_CHANGES)
    return change(entries, around, random)


def _region(start: int, end: int, type_: int) -> Region:
    """Return [start, end); of an end before the start, nothing."""
    start, end = start % ADDRESS_SPACE, min(end, ADDRESS_SPACE)
    return Region(start, max(0, min(end - start, ADDRESS_SPACE - 1)), type_)


def _at(entries: Entries, random: Random) -> int:
    return random.randrange(len(entries))


def _move_edge(entries: Entries, around: Surroundings, random: Random) -> Entries:
    if not entries:
        return _insert(entries, around, random)
    index = _at(entries, random)
    entry = entries[index]
    if random.random() < 0.5:
        to = place(around, random)
    else:
        edge = entry.base if random.random() < 0.5 else entry.end
        to = (edge + step(random)) % ADDRESS_SPACE
    if abs(to - entry.base) < abs(to - entry.end):
        entries[index] = _region(to, entry.end, entry.type)
    else:
        entries[index] = _region(entry.base, to, entry.type)
    return entries


def _change_type(entries: Entries, around: Surroundings, random: Random) -> Entries:
    if entries:
        index = _at(entries, random)
        entries[index] = replace(entries[index], type=random.choice(TYPES))
    return entries


def _double(entries: Entries, around: Surroundings, random: Random) -> Entries:
    if entries:
        entries.insert(random.randint(0, len(entries)), random.choice(entries))
    return entries


def _remove(entries: Entries, around: Surroundings, random: Random) -> Entries:
    if len(entries) > 1:
        del entries[_at(entries, random)]
    return entries


def _empty(entries: Entries, around: Surroundings, random: Random) -> Entries:
    entry = Region(place(around, random), 0, random.choice(TYPES))
    entries.insert(random.randint(0, len(entries)), entry)
    return entries


def _insert(entries: Entries, around: Surroundings, random: Random) -> Entries:
    start = place(around, random)
    entry = Region(start, _length(start, random), random.choice(TYPES))
    entries.insert(random.randint(0, len(entries)), entry)
    return entries


def _length(start: int, random: Random) -> int:
    """Return how long something from ``start`` on is: a little, a lot, or to where numbers end."""
    chance = random.random()
    if chance < 0.6:
        return random.choice(STEPS)
    if chance < 0.8:
        return random.randrange(1 << 26)
    ends = (FOUR_GIB, FOUR_GIB + random.choice(STEPS), FOUR_GIB - start, ADDRESS_SPACE - start)
    return random.choice((*ends, ADDRESS_SPACE - 1)) % ADDRESS_SPACE


def _split(entries: Entries, around: Surroundings, random: Random) -> Entries:
    """Cut an entry in two, that touch or have a gap between them."""
    if not entries:
        return entries
    index = _at(entries, random)
    entry = entries[index]
    if entry.length < 2:
        return entries
    near = [at + random.choice((0, step(random))) for at in around.borders]
    inside = [at for at in near if entry.base < at < entry.end]
    cut = random.choice(inside) if inside else entry.base + random.randrange(1, entry.length)
    gap = random.choice((0, 0, *STEPS))
    second = _region(min(cut + gap, entry.end), entry.end, entry.type)
    entries[index : index + 1] = [_region(entry.base, cut, entry.type), second]
    return entries


def _shuffle(entries: Entries, around: Surroundings, random: Random) -> Entries:
    random.shuffle(entries)
    return entries


def _splice(entries: Entries, around: Surroundings, random: Random) -> Entries:
    """Go on, from somewhere, as another map does."""
    if not around.others:
        return entries
    other = random.choice(around.others).map.entries
    address = place(around, random)
    low = [entry for entry in entries if entry.base < address]
    return low + [entry for entry in other if entry.base >= address]


def _comb(entries: Entries, around: Surroundings, random: Random) -> Entries:
    """Cut a usable entry into many islands with holes between them."""
    usable = [index for index, entry in enumerate(entries) if entry.usable and entry.length > 1]
    if not usable:
        return entries
    index = random.choice(usable)
    entry = entries[index]
    teeth = random.choice((3, 8, 32, 127, 128))
    pitch = max(1, entry.length // teeth)
    width = random.choice((pitch // 2, pitch - 1, min(pitch, PAGE_SIZE), pitch))
    starts = range(entry.base, entry.end, pitch)
    entries[index : index + 1] = [_region(at, at + max(1, width), 1) for at in starts[:teeth]]
    return entries


def _scale(entries: Entries, around: Surroundings, random: Random) -> Entries:
    """Bring what lies above a pivot nearer or farther; offsets within a page stay."""
    pivot, factor = random.choice(PIVOTS), random.choice(FACTORS)

    def moved(at: int) -> int:
        pages = int(max(0, at - pivot) // PAGE_SIZE * factor)
        return at if at <= pivot else pivot + pages * PAGE_SIZE + at % PAGE_SIZE

    return [_region(moved(one.base), moved(one.end), one.type) for one in entries]


_CHANGES: tuple[Callable[[Entries, Surroundings, Random], Entries], ...] = (
    *(_move_edge, _move_edge, _move_edge, _change_type, _double, _remove, _empty, _insert),
    *(_split, _split, _shuffle, _splice, _comb, _scale),
)
