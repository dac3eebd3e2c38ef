"""The smallest case that still shows a bug: fewer parts, rounder numbers, less RAM."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

from harness.fuzz.case import Case
from harness.fuzz.steps import sound
from harness.machine.shape import BootInformationShape
from harness.machine.spec import Fill, MachineSpec, Module
from harness.maps.memory_map import MemoryMap
from harness.maps.region import Region

T = TypeVar("T")

UNITS = (1 << 30, 1 << 24, 1 << 20, 1 << 16, 1 << 12)
"""Bytes to whose multiples a map's numbers are rounded, the roundest first."""
MOST_BOOTS = 2000
MEMORIES = tuple(size << 20 for size in (4, 8, 16, 32, 64, 128, 256, 512, 1024))


@dataclass(frozen=True)
class Shrunk:
    """A case that no single step makes smaller, and how many boots that took."""

    case: Case
    boots: int


def shrink(case: Case, shows_bug: Callable[[Case], bool], most: int = MOST_BOOTS) -> Shrunk:
    """Return the smallest case found that ``shows_bug``; ``case`` does.

    Steps are taken as long as one succeeds, at most ``most`` are tried.
    """
    tried: set[str] = {_key(case)}
    while True:
        for smaller in _smaller(case):
            if _key(smaller) in tried:
                continue
            if len(tried) > most:
                return Shrunk(case, len(tried))
            tried.add(_key(smaller))
            if shows_bug(smaller):
                case = smaller
                break
        else:
            return Shrunk(case, len(tried))


def _key(case: Case) -> str:
    return repr((case, [module.data for module in case.modules]))


def _smaller(case: Case) -> Iterator[Case]:
    """Yield smaller cases, the boldest steps first."""
    for steps in _fewer(case.steps):
        yield replace(case, steps=sound(steps))
    for entries in _fewer(case.map.entries):
        yield _with_map(case, entries)
    yield from _plainer(case)
    for memory in MEMORIES:
        if memory < case.memory:
            yield replace(case, memory=memory)
    for modules in _fewer(case.modules):
        yield replace(case, modules=modules)
    for index, module in enumerate(case.modules):
        for data in (b"", module.data[: len(module.data) // 2]):
            if data != module.data:
                smaller = Module(data, "")
                yield replace(case, modules=_replaced(case.modules, index, smaller))
    yield from _rounder(case)


def _fewer(items: tuple[T, ...]) -> Iterator[tuple[T, ...]]:
    """Yield what is left without all, without each half, each quarter, … and each single item."""
    size = len(items)
    while size:
        for start in range(0, len(items), size):
            yield items[:start] + items[start + size :]
        size //= 2


def _replaced(items: tuple[T, ...], index: int, item: T) -> tuple[T, ...]:
    return (*items[:index], item, *items[index + 1 :])


def _with_map(case: Case, entries: Sequence[Region]) -> Case:
    return replace(case, map=MemoryMap(tuple(entries)))


def _plainer(case: Case) -> Iterator[Case]:
    """Yield the case with one property after another as it is by default."""
    plain = BootInformationShape()
    if case.shape != plain:
        yield replace(case, shape=plain)
        for field in fields(plain):
            one: dict[str, Any] = {field.name: getattr(plain, field.name)}
            if getattr(case.shape, field.name) != one[field.name]:
                yield replace(case, shape=replace(case.shape, **one))
    plainer = (
        replace(case, append=""),
        replace(case, cpu=MachineSpec.cpu),
        replace(case, fill=Fill()),
    )
    yield from (one for one in plainer if one != case)


def _rounder(case: Case) -> Iterator[Case]:
    """Yield the case with one number of the map rounder."""
    entries = case.map.entries
    for index, entry in enumerate(entries):
        for rounder in _rounder_entries(entry):
            if rounder != entry:
                yield _with_map(case, _replaced(entries, index, rounder))
    if list(entries) != sorted(entries):
        yield _with_map(case, sorted(entries))


def _rounder_entries(entry: Region) -> Iterator[Region]:
    """Yield the entry with a plain type, a rounder base or end; each is rounder, so this ends."""
    if entry.type not in (1, 2):
        yield replace(entry, type=2)
    for unit in UNITS:
        if entry.base % unit:
            base = entry.base // unit * unit
            yield Region(base, min(entry.end - base, (1 << 64) - 1), entry.type)
            yield replace(entry, base=base)
        if entry.end % unit and entry.end // unit * unit >= entry.base:
            yield replace(entry, length=entry.end // unit * unit - entry.base)
