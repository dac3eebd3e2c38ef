"""From one case to another that is a little different, with a liking for borders."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, fields, replace
from random import Random
from typing import Any

from harness.fuzz.case import Case
from harness.fuzz.steps import change_steps
from harness.machine.shape import BootInformationShape
from harness.machine.spec import Fill, FillKind, Module
from harness.maps.memory_map import MemoryMap
from harness.maps.region import ADDRESS_SPACE, FOUR_GIB, PAGE_SIZE, Region
from harness.workload.operation import Kind

MOST_ENTRIES = 160
"""Entries of a map; more than any firmware gives (SeaBIOS: 128)."""
MOST_CHANGES = 4
"""Changes from one case to the next."""
LARGEST_MODULE = 64 << 10
TYPES = (1, 1, 1, 2, 2, 3, 4, 5, 0, 6, 7, 12, 0x101, 0x101, 0x10001, 0x80000001, 0xFFFFFFFF)
"""Those that specifications name, and some that are usable memory's in fewer bits."""
STRINGS = ("", "module", "x" * 60, "x" * 4000)
"""Of modules: some shorter than what else a boot loader leaves in a page, one nearly a page."""
STEPS = (1, 4, 8, 16, 512, PAGE_SIZE - 1, PAGE_SIZE, PAGE_SIZE + 1, 1 << 16, 1 << 20)

Entries = list[Region]


@dataclass(frozen=True)
class Surroundings:
    """What the mutator draws from besides the case itself."""

    borders: tuple[int, ...]
    memories: tuple[int, ...]
    """Sizes of RAM, in bytes."""
    words: tuple[str, ...]
    """Command lines."""
    cpus: tuple[str, ...]
    others: Sequence[Case]
    """Cases to splice with."""
    kinds: Collection[Kind] = ()
    """Operations that the kernel carries out; none when it has no tapes."""


def mutate(case: Case, around: Surroundings, random: Random) -> Case:
    """Return a case that differs from ``case`` in one to ``MOST_CHANGES`` ways."""
    for _ in range(random.randint(1, MOST_CHANGES)):
        change = random.choices(_CHANGES, _WEIGHTS)[0]
        case = change(case, around, random)
    return case


def _map(case: Case, around: Surroundings, random: Random) -> Case:
    change = random.choice(_MAP_CHANGES)
    entries = change(list(case.map.entries), around, random)
    return replace(case, map=MemoryMap(tuple(entries[:MOST_ENTRIES])))


def _place(around: Surroundings, random: Random) -> int:
    """Return an address at a border, or near one; at times what is the same in 32 bits."""
    address = random.choice(around.borders)
    if random.random() < 0.6:
        address += _step(random)
    if random.random() < 0.1:
        address += FOUR_GIB
    return address % ADDRESS_SPACE


def _step(random: Random) -> int:
    return random.choice(STEPS) * random.choice((-1, 1))


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
        to = _place(around, random)
    else:
        edge = entry.base if random.random() < 0.5 else entry.end
        to = (edge + _step(random)) % ADDRESS_SPACE
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
    entry = Region(_place(around, random), 0, random.choice(TYPES))
    entries.insert(random.randint(0, len(entries)), entry)
    return entries


def _insert(entries: Entries, around: Surroundings, random: Random) -> Entries:
    start = _place(around, random)
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
    near = [at + random.choice((0, _step(random))) for at in around.borders]
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
    address = _place(around, random)
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


def _shape(case: Case, around: Surroundings, random: Random) -> Case:
    if random.random() < 0.1:
        return _without_map(case, around, random)
    name = random.choice(tuple(_SHAPES))
    changed: dict[str, Any] = {name: _SHAPES[name](case, around, random)}
    return replace(case, shape=replace(case.shape, **changed))


def _without_map(case: Case, around: Surroundings, random: Random) -> Case:
    """Let two sizes be all that is said of memory."""
    sizes: dict[str, Any] = {
        "memory_lower": _kib(case, around, random),
        "memory_upper": _kib(case, around, random),
    }
    return replace(case, shape=replace(case.shape, memory=True, memory_map=False, **sizes))


def _low_address(case: Case, around: Surroundings, random: Random) -> int | None:
    """Return a place in RAM: near a border, near an edge of the case's own map, or anywhere."""
    chance = random.random()
    if chance < 0.25:
        return None
    if chance < 0.5:
        address = _place(around, random)
    elif chance < 0.8 and case.map.entries:
        entry = random.choice(case.map.entries)
        address = random.choice((entry.base, entry.end)) + random.choice((0, PAGE_SIZE, -PAGE_SIZE))
    else:
        address = random.randrange(case.memory)
    return max(0, min(address, case.memory - 1) - random.choice((0, 0, 1, 2, 3, 64)))


def _module_addresses(case: Case, around: Surroundings, random: Random) -> tuple[int | None, ...]:
    return tuple(_low_address(case, around, random) for _ in case.modules)


def _claimed_length(case: Case, around: Surroundings, random: Random) -> int | None:
    whole = 24 * len(case.map.entries)
    return random.choice((None, None, 0, max(0, whole - random.randint(1, 24)), whole // 2))


def _kib(case: Case, around: Surroundings, random: Random) -> int | None:
    """Return a claim about memory: nothing, RAM's size or a little else, or where numbers end."""
    size = (case.memory >> 10) - random.choice((0, 0, 1, 1024, 1025, 2048))
    return random.choice((None, None, 0, 1, 636, 639, 640, size, size, 1 << 22, (1 << 32) - 1))


def _flag(case: Case, around: Surroundings, random: Random) -> bool:
    return random.random() < 0.7


_SHAPES: dict[str, Callable[[Case, Surroundings, Random], Any]] = {
    **{field.name: _flag for field in fields(BootInformationShape) if field.default is True},
    "entry_sizes": lambda case, around, random: random.choice(
        ((20,), (24,), (32,), (20, 24), (24, 20, 32), (21,))
    ),
    "memory_lower": _kib,
    "memory_upper": _kib,
    "map_length": _claimed_length,
    "map_address": _low_address,
    "information_address": _low_address,
    "command_line_address": _low_address,
    "module_list_address": _low_address,
    "module_addresses": _module_addresses,
}


def _plain_shape(case: Case, around: Surroundings, random: Random) -> Case:
    return replace(case, shape=BootInformationShape())


def _modules(case: Case, around: Surroundings, random: Random) -> Case:
    modules = list(case.modules)
    if modules and random.random() < 0.4:
        del modules[random.randrange(len(modules))]
    else:
        length = random.choice((0, 1, 4095, 4096, 4097, random.randrange(LARGEST_MODULE)))
        modules.append(Module(random.randbytes(length), random.choice(STRINGS)))
    return replace(case, modules=tuple(modules[:8]))


def _fill(case: Case, around: Surroundings, random: Random) -> Case:
    kind = random.choice(tuple(FillKind))
    seed = random.randrange(1 << 16) if kind is FillKind.RANDOM else 0
    return replace(case, fill=Fill(kind, seed))


def _words(case: Case, around: Surroundings, random: Random) -> Case:
    return replace(case, append=random.choice(around.words)) if around.words else case


def _machine(case: Case, around: Surroundings, random: Random) -> Case:
    if random.random() < 0.5:
        return replace(case, memory=random.choice(around.memories))
    return replace(case, cpu=random.choice(around.cpus))


def _steps(case: Case, around: Surroundings, random: Random) -> Case:
    if not around.kinds:
        return case
    if case.steps and random.random() < 0.2:
        return replace(case, steps=())
    return replace(case, steps=change_steps(case.steps, random, around.kinds))


_MAP_CHANGES = (
    *(_move_edge, _move_edge, _move_edge, _change_type, _double, _remove, _empty, _insert),
    *(_split, _split, _shuffle, _splice, _comb),
)
_CHANGES = (_map, _shape, _plain_shape, _modules, _fill, _words, _steps, _machine)
_WEIGHTS = (46, 14, 3, 6, 3, 7, 20, 1)
"""A new size or CPU needs a new process, which takes as long as many boots."""
