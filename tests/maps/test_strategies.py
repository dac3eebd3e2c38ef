"""Strategies reach what they are for, shrink to little, and go with a booted kernel."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import find, given, settings
from hypothesis.errors import InvalidArgument

from harness.check.verify import verify
from harness.image.kernel_image import KernelImage
from harness.machine.pool import Pool
from harness.machine.spec import MachineSpec
from harness.maps import library
from harness.maps.memory_map import MemoryMap
from harness.maps.scale import scale
from harness.maps.strategies import memory_maps

MIB = 1 << 20
MEMORY = 16 * MIB


@pytest.mark.slow
@pytest.mark.parametrize(
    "wanted",
    [
        lambda found: any(one.type == 4 and one.length for one in found.entries),
        lambda found: any(one.usable and one.base % 4096 for one in found.entries),
        lambda found: list(found.entries) != sorted(found.entries),
        lambda found: any(one.base < 15 * MIB < one.end for one in found.entries),
        lambda found: len(found.entries) > len(set(found.entries)),
    ],
)
def test_what_is_looked_for_is_found_and_small(wanted: Callable[[MemoryMap], bool]) -> None:
    settled = settings(derandomize=True, database=None)
    assert len(find(memory_maps(MEMORY), wanted, settings=settled).entries) <= 3


def test_borders_may_come_one_by_one_and_only_once() -> None:
    wanted, borders = (5 * MIB + 7, 9 * MIB + 3), (border for border in (5 * MIB + 7, 9 * MIB + 3))
    strategy = memory_maps(MEMORY, borders)
    for border in wanted:
        find(strategy, lambda found, at=border: any(at in (e.base, e.end) for e in found.entries))


@pytest.mark.parametrize("memory", [0, 4096, "16M"])
def test_memory_that_no_map_is_about_is_refused(memory: int) -> None:
    with pytest.raises(InvalidArgument, match="give bytes, at least"):
        memory_maps(memory)


def test_whole_real_maps_are_among_them() -> None:
    real = {scale(library.get(name), MEMORY).entries for name in library.names()}
    assert find(memory_maps(MEMORY), lambda found: found.entries in real).entries in real


def test_long_maps_are_among_them() -> None:
    assert len(find(memory_maps(MEMORY), lambda found: len(found.entries) > 128).entries) < 150


@given(memory_maps(MEMORY))
@settings(max_examples=25)
def test_the_bundled_kernel_manages_any_of_them(
    kernel: KernelImage, pool: Pool, found: MemoryMap
) -> None:
    verdict = verify(MachineSpec(kernel, MEMORY, map=found), pool)
    assert verdict.verdict != "finding", verdict.violations
