"""The smallest case that still shows a bug: fewer parts, less RAM, rounder numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

from harness.fuzz.case import Case, Step
from harness.fuzz.rounder import rounder_regions, rounder_sizes
from harness.fuzz.sound import sound
from harness.machine.shape import BootInformationShape
from harness.machine.spec import Fill, MachineSpec, Module
from harness.maps.memory_map import MemoryMap
from harness.maps.region import Region

T = TypeVar("T")

MOST_BOOTS = 2000
MEMORIES = tuple(size << 20 for size in (4, 8, 16, 32, 64, 128, 256, 512, 1024))


@dataclass(frozen=True)
class Shrunk:
    """A case that no single step makes smaller, and how many boots that took."""

    case: Case
    boots: int


def shrink(case: Case, shows_bug: Callable[[Case], bool], most: int = MOST_BOOTS) -> Shrunk:
    """Return the smallest case found that ``shows_bug``; ``case`` does.

    Reductions follow one another, those first that make the most go, as long as one of them
    succeeds; at most ``most`` cases are tried, none twice.
    """
    search = _Search(case, shows_bug, most)
    before = None
    while search.case != before:
        before = search.case
        for reduction in _REDUCTIONS:
            reduction(search)
    return Shrunk(search.case, search.boots)


class _Search:
    """The smallest case so far."""

    def __init__(self, case: Case, shows_bug: Callable[[Case], bool], most: int) -> None:
        self.case = case
        self.boots = 0
        self._shows_bug = shows_bug
        self._most = most
        self._tried = {_key(case)}

    def goes_on_with(self, smaller: Case) -> bool:
        """Return whether a smaller case shows the bug as well; it is the smallest one then."""
        key = _key(smaller)
        if key in self._tried or self.boots == self._most:
            return False
        self._tried.add(key)
        self.boots += 1
        if not self._shows_bug(smaller):
            return False
        self.case = smaller
        return True

    def first_of(self, smaller: Iterator[Case]) -> bool:
        """Go on with the first of these cases that shows the bug; return whether there is one."""
        return any(self.goes_on_with(case) for case in smaller)


def _key(case: Case) -> str:
    return repr((case, [module.data for module in case.modules]))


def _fewer(
    search: _Search,
    items: Callable[[Case], tuple[T, ...]],
    with_items: Callable[[Case, tuple[T, ...]], Case],
) -> None:
    """Leave out all, then each half, each quarter, … and each single item."""
    size = len(items(search.case))
    while size:
        start = 0
        while start < len(found := items(search.case)):
            rest = found[:start] + found[start + size :]
            if not search.goes_on_with(with_items(search.case, rest)):
                start += size
        size //= 2


def _fewer_steps(search: _Search) -> None:
    _fewer(search, lambda case: case.steps, _with_steps)


def _with_steps(case: Case, steps: tuple[Step, ...]) -> Case:
    return replace(case, steps=sound(steps))


def _fewer_entries(search: _Search) -> None:
    _fewer(search, lambda case: case.map.entries, _with_entries)


def _with_entries(case: Case, entries: tuple[Region, ...]) -> Case:
    return replace(case, map=MemoryMap(entries))


def _fewer_modules(search: _Search) -> None:
    _fewer(search, lambda case: case.modules, lambda case, rest: replace(case, modules=rest))


def _replaced(items: tuple[T, ...], index: int, item: T) -> tuple[T, ...]:
    return (*items[:index], item, *items[index + 1 :])


def _plain_map(search: _Search) -> None:
    """Call all RAM usable in one entry, where the bug does not lie in the map."""
    if search.case.map.entries:
        search.goes_on_with(_with_entries(search.case, (Region(0, search.case.memory, 1),)))


def _plainer(search: _Search) -> None:
    """Make one property after another what it is by default."""
    plain = BootInformationShape()
    search.goes_on_with(replace(search.case, shape=plain))
    for field in fields(plain):
        one: dict[str, Any] = {field.name: getattr(plain, field.name)}
        search.goes_on_with(replace(search.case, shape=replace(search.case.shape, **one)))
    search.goes_on_with(replace(search.case, append=""))
    search.goes_on_with(replace(search.case, cpu=MachineSpec.cpu))
    search.goes_on_with(replace(search.case, fill=Fill()))


def _less_memory(search: _Search) -> None:
    """Take the least RAM that will do: boots after this one are the quicker for it."""
    case = search.case
    search.first_of(replace(case, memory=memory) for memory in MEMORIES if memory < case.memory)


def _smaller_modules(search: _Search) -> None:
    for index in range(len(search.case.modules)):
        for data in _shorter(search.case.modules[index].data):
            module = Module(data, "")
            modules = _replaced(search.case.modules, index, module)
            if search.goes_on_with(replace(search.case, modules=modules)):
                break


def _shorter(data: bytes) -> Iterator[bytes]:
    """Yield beginnings of the contents, the shortest first, then as many zeros."""
    length = 0
    while length < len(data):
        yield data[:length]
        length = 2 * length or 1
    yield bytes(len(data))


def _plainer_steps(search: _Search) -> None:
    """Number the slots from 0, and take plain flags and round sizes."""
    slots = {slot: number for number, slot in enumerate(dict.fromkeys(_slots(search.case)))}
    renumbered = [(*step[:3], slots[step[3]], step[4]) for step in search.case.steps]
    search.goes_on_with(_with_steps(search.case, tuple(renumbered)))
    for index in range(len(search.case.steps)):
        search.first_of(_with_plainer_step(search.case, index))


def _slots(case: Case) -> Iterator[int]:
    return (slot for _, _, _, slot, _ in case.steps)


def _with_plainer_step(case: Case, index: int) -> Iterator[Case]:
    kind, flags, cache, slot, size = case.steps[index]
    plainer = [(kind, 0, 0, slot, size)]
    plainer += [(kind, flags, cache, slot, rounder) for rounder in rounder_sizes(size)]
    return (_with_steps(case, _replaced(case.steps, index, step)) for step in plainer)


def _rounder_map(search: _Search) -> None:
    """Sort the map, and make each of its numbers as round as it gets."""
    search.goes_on_with(_with_entries(search.case, tuple(sorted(search.case.map.entries))))
    for index in range(len(search.case.map.entries)):
        while search.first_of(_with_rounder_entry(search.case, index)):
            pass


def _with_rounder_entry(case: Case, index: int) -> Iterator[Case]:
    entries = case.map.entries
    rounder = rounder_regions(entries[index])
    return (_with_entries(case, _replaced(entries, index, region)) for region in rounder)


_REDUCTIONS: tuple[Callable[[_Search], None], ...] = (
    *(_fewer_modules, _fewer_steps, _plain_map, _less_memory, _plainer, _fewer_entries),
    *(_smaller_modules, _plainer_steps, _rounder_map),
)
