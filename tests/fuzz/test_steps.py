"""Steps make sense whatever is done to them, and find bugs that no map shows."""

from __future__ import annotations

from random import Random

import pytest

from harness.fuzz.attempt import attempt
from harness.fuzz.case import Case, Step
from harness.fuzz.shrink import shrink
from harness.fuzz.steps import change_steps
from harness.image.kernel_image import KernelImage
from harness.machine.pool import Pool
from harness.machine.shape import BootInformationShape
from harness.maps.memory_map import MemoryMap
from harness.maps.region import Region
from harness.workload.operation import Kind, operation
from tests.kernel.planted import SourceCopy

MEMORY = 16 << 20


def test_a_sound_kernel_takes_any_steps(kernel: KernelImage, pool: Pool) -> None:
    random, seen = Random(1), set()
    steps: tuple[Step, ...] = ()
    for number in range(24):
        steps = change_steps(steps if number % 3 else (), random)
        words = ("", "mm=apoptos", "frames=bitmap heap=subblock")[number % 3]
        case = Case(MEMORY, MemoryMap.pc(MEMORY), append=words, steps=steps)
        attempted = attempt(case, kernel, pool)
        assert attempted.violations == ()
        seen |= {feature.split()[0] for feature in attempted.features}
    assert seen >= {"heap_alloc", "frames_free", "slab_alloc", "user_alloc", "touch_write"}
    assert seen >= {"slab_reap", "space_create", "user_heap_alloc"}


def test_a_burst_has_no_kinds_but_the_kernel_s() -> None:
    random, seen = Random(4), set()
    steps: tuple[Step, ...] = ()
    for _ in range(100):
        steps = change_steps(steps, random, (Kind.FRAMES_ALLOC, Kind.FRAMES_FREE))
        seen |= {step[0] for step in steps}
    assert seen == {Kind.FRAMES_ALLOC, Kind.FRAMES_FREE}


def test_a_tape_without_a_name_is_not_run(kernel: KernelImage, pool: Pool) -> None:
    case = Case(
        MEMORY,
        MemoryMap.pc(MEMORY),
        shape=BootInformationShape(module_strings=False),
        steps=(operation(Kind.FRAMES_ALLOC, 1, 1),),
    )
    attempted = attempt(case, kernel, pool)
    assert attempted.word == "good"
    assert "frames_alloc gave something" not in attempted.features


def test_a_tape_that_the_kernel_does_not_reach_is_no_finding(
    kernel: KernelImage, pool: Pool
) -> None:
    """It lies in memory that the map calls reserved, and that the direct map leaves out."""
    low = MemoryMap(
        (Region(0, 0x9F000, 1), Region(1 << 20, 7 << 20, 1), Region(8 << 20, 8 << 20, 2))
    )
    shape = BootInformationShape(module_addresses=(12 << 20,))
    steps = (operation(Kind.FRAMES_ALLOC, 1, 1),)
    attempted = attempt(Case(MEMORY, low, shape=shape, steps=steps), kernel, pool)
    assert attempted.impossible is None
    assert attempted.violations == ()


@pytest.mark.slow
def test_a_count_that_only_allocations_get_wrong_is_shown_by_few_steps(
    source_copy: SourceCopy, pool: Pool
) -> None:
    right = "zone->free_frames -= 1u << order;\n    zone->allocations++;"
    wrong = source_copy.plant(
        "mm/frames/buddy.c", right, "zone->free_frames -= order < 2 ? 1u << order : 4;\n"
    )
    random, steps, found = Random(3), (), None

    def group(case: Case) -> str | None:
        return attempt(case, wrong, pool).group

    for _ in range(40):
        steps = change_steps(steps, random)
        case = Case(MEMORY, MemoryMap.pc(MEMORY), steps=steps)
        if found := group(case):
            break
    smallest = shrink(case, lambda smaller: group(smaller) == found, most=300).case
    assert 0 < len(smallest.steps) <= 5
    assert len(smallest.map.entries) <= 3
