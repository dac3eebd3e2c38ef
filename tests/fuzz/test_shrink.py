"""Shrinking, on bugs that are predicates, and so cost no boots."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.fuzz.case import Case
from harness.fuzz.shrink import shrink
from harness.machine.shape import BootInformationShape
from harness.machine.spec import Fill, FillKind, Module
from harness.maps import library
from harness.maps.memory_map import MemoryMap
from harness.maps.region import Region
from harness.workload.operation import Kind, operation

MIB = 1 << 20
CROWDED = Case(
    memory=64 * MIB,
    map=MemoryMap(library.get("ibm-calgary-x366-2.6.18").entries),
    fill=Fill(FillKind.RANDOM, 7),
    append="heap=malloc",
    cpu="486",
    modules=(Module(b"x" * 5000, "one"), Module(b"y", "two")),
    shape=BootInformationShape(memory=False, entry_sizes=(24,)),
    steps=tuple(operation(Kind.HEAP_ALLOC, slot, 64) for slot in range(20)),
)


def test_what_does_not_matter_goes() -> None:
    smallest = shrink(CROWDED, lambda case: True).case
    assert smallest == Case(4 * MIB, MemoryMap(()))


@pytest.mark.parametrize(
    ("shows_bug", "entries"),
    [
        (lambda case: any(entry.type == 4 for entry in case.map.entries), 1),
        (lambda case: any(entry.base % 4096 for entry in case.map.entries), 1),
        (lambda case: sum(entry.usable for entry in case.map.entries) >= 2, 2),
    ],
)
def test_a_bug_in_the_map_needs_few_entries(
    shows_bug: Callable[[Case], bool], entries: int
) -> None:
    with_nvs = (*CROWDED.map.entries, Region(0x1234, 0x10000, 4))
    case = Case(64 * MIB, MemoryMap(with_nvs))
    smallest = shrink(case, shows_bug).case
    assert shows_bug(smallest)
    assert len(smallest.map.entries) == entries
    assert smallest.memory == 4 * MIB


def test_numbers_get_round_as_far_as_the_bug_allows() -> None:
    def shows_bug(case: Case) -> bool:
        return any(entry.end > 17 * MIB and not entry.usable for entry in case.map.entries)

    case = Case(64 * MIB, MemoryMap((Region(0x10003, 0x2345677, 7),)))
    [entry] = shrink(case, shows_bug).case.map.entries
    assert entry == Region(0, 32 * MIB, 2)


def test_a_tape_is_left_with_what_the_bug_needs() -> None:
    def shows_bug(case: Case) -> bool:
        slots = [slot for _, _, _, slot, _ in case.steps]
        return 3 in slots and 17 in slots

    slots = [slot for _, _, _, slot, _ in shrink(CROWDED, shows_bug).case.steps]
    assert slots == [3, 17]


def test_one_property_that_matters_stays_alone() -> None:
    smallest = shrink(CROWDED, lambda case: case.shape.entry_sizes == (24,)).case
    assert smallest.shape == BootInformationShape(entry_sizes=(24,))
    assert smallest.modules == ()


def test_it_ends_at_its_limit() -> None:
    tried = []

    def shows_bug(case: Case) -> bool:
        tried.append(case)
        return False

    assert shrink(CROWDED, shows_bug, most=10).case == CROWDED
    assert len(tried) == 10


def test_a_long_map_goes_by_halves() -> None:
    """One by one it would take as many boots as there are entries, again after each that went."""
    teeth = [Region(number << 16, 0x8000, 1) for number in range(256)]
    case = Case(64 * MIB, MemoryMap((*teeth, Region(0x1234, 0x10000, 4))))

    def shows_bug(case: Case) -> bool:
        return any(entry.type == 4 for entry in case.map.entries) and bool(case.map.entries[1:])

    shrunk = shrink(case, shows_bug)
    assert len(shrunk.case.map.entries) == 2
    assert shrunk.boots < 80


def test_less_memory_is_tried_before_most_other_boots() -> None:
    tried: list[int] = []

    def shows_bug(case: Case) -> bool:
        tried.append(case.memory)
        return case.memory >= 8 * MIB and len(case.map.entries) > 2

    shrunk = shrink(CROWDED, shows_bug)
    assert shrunk.case.memory == 8 * MIB
    assert tried.index(8 * MIB) < len(tried) // 4


def test_a_tape_s_numbers_get_plain() -> None:
    def shows_bug(case: Case) -> bool:
        return any(kind == Kind.HEAP_ALLOC and size > 40 for kind, _, _, _, size in case.steps)

    steps = tuple(operation(Kind.HEAP_ALLOC, slot, 100 + slot, 64) for slot in range(10, 20))
    smallest = shrink(Case(64 * MIB, MemoryMap.pc(64 * MIB), steps=steps), shows_bug).case
    assert smallest.steps == (operation(Kind.HEAP_ALLOC, 0, 64),)


def test_the_same_case_shrinks_in_the_same_way() -> None:
    def shows_bug(case: Case) -> bool:
        return len(case.map.entries) > 3 and case.memory > 8 * MIB

    assert shrink(CROWDED, shows_bug) == shrink(CROWDED, shows_bug)
