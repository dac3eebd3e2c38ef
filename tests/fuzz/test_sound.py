"""Steps are left out that nobody may ask of a kernel, and no others."""

from __future__ import annotations

from random import Random

import pytest

from harness.fuzz.case import Step
from harness.fuzz.sound import sound
from harness.fuzz.steps import change_steps
from harness.workload.operation import ALLOCATES, FREES, Flag, Kind, operation

SPACE = operation(Kind.SPACE_CREATE, 1)
IN_SPACE = operation(Kind.SPACE_SWITCH, 1)
IN_KERNEL = operation(Kind.SPACE_SWITCH, 9)
"""Of a slot that holds nothing."""
REGION = operation(Kind.USER_ALLOC, 2, 3)
FREE_REGION = operation(Kind.USER_FREE, 2)
NO_SPACE = operation(Kind.SPACE_DESTROY, 1)
HEAP = operation(Kind.USER_HEAP_ALLOC, 3, 64)
WRITE = operation(Kind.TOUCH_WRITE, 0, 4096, cache=7)


def test_only_what_is_held_is_freed_and_as_it_was_allocated() -> None:
    random, steps, seen = Random(1), (), set()
    for _ in range(600):
        steps = change_steps(steps, random)
        held: dict[int, Step] = {}
        for step in steps:
            kind, _, cache, slot, size = step
            seen.add(kind)
            if kind in ALLOCATES:
                assert slot not in held
                held[slot] = step
            elif kind in FREES:
                allocation = held.pop(slot)
                assert size in (0, allocation[4])
                assert cache == allocation[2]
    assert seen == set(Kind)


def test_what_makes_no_sense_goes() -> None:
    allocated = operation(Kind.FRAMES_ALLOC, 1, 4)
    steps = [
        operation(Kind.FRAMES_FREE, 1, 4),
        allocated,
        operation(Kind.HEAP_ALLOC, 1, 100),
        operation(Kind.HEAP_FREE, 1),
    ]
    assert sound(steps) == (allocated, operation(Kind.FRAMES_FREE, 1, 4))


def test_a_block_that_was_filled_is_looked_at_before_it_goes() -> None:
    filled = operation(Kind.SLAB_ALLOC, 1, 0, Flag.FILL, cache=3)
    freed = operation(Kind.SLAB_FREE, 1, 0, Flag.CHECK, cache=3)
    assert sound([filled, operation(Kind.SLAB_FREE, 1)]) == (filled, freed)


@pytest.mark.parametrize(
    ("steps", "kept"),
    [
        ([SPACE, NO_SPACE], [SPACE, NO_SPACE]),
        ([SPACE, IN_SPACE, NO_SPACE], [SPACE, IN_SPACE]),
        ([SPACE, IN_SPACE, IN_KERNEL, NO_SPACE], [SPACE, IN_SPACE, IN_KERNEL, NO_SPACE]),
        ([SPACE, REGION, IN_SPACE, FREE_REGION], [SPACE, REGION, IN_SPACE]),
        (
            [SPACE, IN_SPACE, REGION, IN_KERNEL, NO_SPACE, FREE_REGION, REGION],
            [SPACE, IN_SPACE, REGION, IN_KERNEL, NO_SPACE],
        ),
        ([SPACE, IN_SPACE, HEAP], [SPACE, IN_SPACE]),
        ([REGION, WRITE, HEAP, WRITE], [REGION, WRITE, HEAP]),
        ([REGION, operation(Kind.SPACE_SWITCH, 2)], [REGION]),
    ],
)
def test_address_spaces_are_used_as_they_must(steps: list[Step], kept: list[Step]) -> None:
    assert sound(steps) == tuple(kept)
