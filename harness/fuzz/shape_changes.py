"""Changes to the form and the places of boot information."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from random import Random
from typing import Any

from harness.fuzz.case import Case
from harness.fuzz.surroundings import Surroundings, place
from harness.machine.shape import BootInformationShape
from harness.maps.region import FOUR_GIB, PAGE_SIZE


def change_shape(case: Case, around: Surroundings, random: Random) -> Case:
    """Return the case with one thing about its boot information changed."""
    chance = random.random()
    if chance < 0.1:
        return _without_map(case, around, random)
    if chance < 0.25:
        return _scatter(case, around, random)
    name = random.choices(tuple(_SHAPES), _WEIGHTS)[0]
    changed: dict[str, Any] = {name: _SHAPES[name](case, around, random)}
    return replace(case, shape=replace(case.shape, **changed))


def _without_map(case: Case, around: Surroundings, random: Random) -> Case:
    """Let two sizes be all that is said of memory."""
    sizes: dict[str, Any] = {
        "memory_lower": _kib(case, around, random),
        "memory_upper": _kib(case, around, random),
    }
    return replace(case, shape=replace(case.shape, memory=True, memory_map=False, **sizes))


def _scatter(case: Case, around: Surroundings, random: Random) -> Case:
    """Let all that a boot loader leaves lie elsewhere."""
    places: dict[str, Any] = {name: _low_address(case, around, random) for name in _ADDRESSES}
    places["module_addresses"] = _module_addresses(case, around, random)
    return replace(case, shape=replace(case.shape, **places))


def _low_address(case: Case, around: Surroundings, random: Random) -> int | None:
    """Return a place in RAM: near a border, near an edge of the case's own map, or anywhere."""
    low = min(case.memory, FOUR_GIB)
    chance = random.random()
    if chance < 0.25:
        return None
    if chance < 0.5:
        address = place(around, random)
    elif chance < 0.8 and case.map.entries:
        entry = random.choice(case.map.entries)
        address = random.choice((entry.base, entry.end)) + random.choice((0, PAGE_SIZE, -PAGE_SIZE))
    else:
        address = random.randrange(low)
    return max(0, min(address, low - 1) - random.choice((0, 0, 1, 2, 3, 64)))


def _module_addresses(case: Case, around: Surroundings, random: Random) -> tuple[int | None, ...]:
    return tuple(_low_address(case, around, random) for _ in case.modules)


def _claimed_length(case: Case, around: Surroundings, random: Random) -> int | None:
    whole = 24 * len(case.map.entries)
    return random.choice(
        (None, None, 0, max(0, whole - random.randint(1, 24)), random.randint(0, whole))
    )


def _kib(case: Case, around: Surroundings, random: Random) -> int | None:
    """Return a claim about memory: nothing, RAM's size or a little else, or where numbers end."""
    size = (case.memory >> 10) - random.choice((0, 0, 1, 1024, 1025, 2048))
    return random.choice((None, None, 0, 1, 636, 639, 640, size, size, 1 << 22, (1 << 32) - 1))


def _flag(case: Case, around: Surroundings, random: Random) -> bool:
    return random.random() < 0.7


_FLAGS = [field.name for field in fields(BootInformationShape) if field.default is True]
_ADDRESSES = ("map_address", "information_address", "command_line_address", "module_list_address")
_SHAPES: dict[str, Callable[[Case, Surroundings, Random], Any]] = {
    **dict.fromkeys(_FLAGS, _flag),
    "entry_sizes": lambda case, around, random: random.choice(
        ((20,), (24,), (32,), (20, 24), (24, 20, 32), (21,))
    ),
    "memory_lower": _kib,
    "memory_upper": _kib,
    "map_length": _claimed_length,
    **dict.fromkeys(_ADDRESSES, _low_address),
    "module_addresses": _module_addresses,
}
_WEIGHTS = [
    {"entry_sizes": 4, "map_length": 3}.get(name, 1 + (name not in _FLAGS)) for name in _SHAPES
]
"""What decides how the map is read more often than what is there or not."""
