"""The mutator: the same from the same seed, and every dimension of a machine is reached."""

from __future__ import annotations

from dataclasses import fields
from random import Random

import pytest

from harness.fuzz.borders import borders
from harness.fuzz.carries_out import kinds_of
from harness.fuzz.case import Case
from harness.fuzz.corpus import CPUS, command_lines, plain_seeds, seeds
from harness.fuzz.map_changes import change_map
from harness.fuzz.mutator import mutate
from harness.fuzz.possible import why_impossible
from harness.fuzz.surroundings import Surroundings
from harness.image.kernel_image import KernelImage
from harness.machine.shape import BootInformationShape
from harness.machine.spec import Module
from harness.maps.memory_map import MemoryMap
from harness.maps.region import PAGE_SIZE, Region
from harness.workload.operation import Kind

MEMORY = 64 << 20


def walk(kernel: KernelImage, seed: int, steps: int, memory: int = MEMORY) -> list[Case]:
    """Return cases of which each is a mutant of one before."""
    random, found = Random(seed), seeds(kernel, memory)
    around = Surroundings(
        borders(kernel, memory),
        (8 << 20, memory),
        command_lines(kernel),
        ("qemu32", "486"),
        found,
        kinds=tuple(Kind),
    )
    for _ in range(steps):
        found.append(mutate(random.choice(found), around, random))
    return found[-steps:]


def test_the_same_seed_gives_the_same_cases(kernel: KernelImage) -> None:
    assert walk(kernel, 3, 50) == walk(kernel, 3, 50)
    assert walk(kernel, 3, 50) != walk(kernel, 4, 50)


@pytest.mark.parametrize("memory", [4 << 30, 5 << 30, 8 << 30])
def test_what_a_loader_leaves_lies_where_32_bits_reach(kernel: KernelImage, memory: int) -> None:
    for case in walk(kernel, 5, 600, memory):
        why_impossible(case.spec(kernel))


@pytest.mark.parametrize(("length", "why"), [(4095, "is not RAM"), (4096, "32 bits cannot tell")])
def test_no_module_ends_where_32_bits_do_not_reach(
    kernel: KernelImage, length: int, why: str
) -> None:
    shape = BootInformationShape(module_addresses=(0xFFFFF000,))
    modules = (Module(bytes(length), ""),)
    spec = Case(MEMORY, MemoryMap.pc(MEMORY), modules=modules, shape=shape).spec(kernel)
    assert why in (why_impossible(spec) or "")


@pytest.mark.slow
def test_every_dimension_is_reached(kernel: KernelImage) -> None:
    cases, plain = walk(kernel, 1, 3000), BootInformationShape()
    for field in fields(Case):
        if field.name != "boot":
            assert len({repr(getattr(case, field.name)) for case in cases}) > 1, field.name
    for field in fields(plain):
        if field.name != "module_count":
            values = {repr(getattr(case.shape, field.name)) for case in cases}
            assert len(values) > 1, field.name
    entries = [entry for case in cases for entry in case.map.entries]
    assert any(entry.length == 0 for entry in entries)
    assert any(entry.base % PAGE_SIZE for entry in entries)
    assert any(entry.end > 1 << 32 > entry.base for entry in entries)
    assert any(list(case.map.entries) != sorted(case.map.entries) for case in cases)
    assert max(len(case.map.entries) for case in cases) >= 128
    assert {entry.type for entry in entries} >= {0, 1, 2, 3, 4, 5, 0x101}


def test_whole_maps_are_scaled_and_keep_their_offsets_within_pages() -> None:
    start, end = (17 << 20) + 0x123, (33 << 20) + 0x456
    around, random = Surroundings((0,), (MEMORY,), (), (), ()), Random(0)
    found = [change_map([Region(start, end - start, 1)], around, random) for _ in range(500)]
    half = Region((1 << 20) + (8 << 20) + 0x123, (8 << 20) + 0x456 - 0x123, 1)
    assert [half] in found


def test_a_campaign_begins_with_every_command_line_and_cpu(kernel: KernelImage) -> None:
    found = plain_seeds(kernel, MEMORY)
    words = set(command_lines(kernel))
    assert words >= {"", "mm=apoptos", "frames=bitmap heap=subblock"}
    assert {case.append for case in found if not case.steps} == words
    assert {case.append for case in found if case.steps} == words
    assert {case.cpu for case in found} == set(CPUS)
    assert kinds_of(kernel) == tuple(Kind)
    assert plain_seeds(kernel, MEMORY) == found


def test_few_cases_are_impossible_and_those_say_why(kernel: KernelImage) -> None:
    reasons = [why_impossible(case.spec(kernel)) for case in walk(kernel, 2, 400)]
    assert sum(reason is not None for reason in reasons) < len(reasons) // 4


def test_a_place_in_the_kernel_s_image_is_impossible(kernel: KernelImage) -> None:
    image = kernel.image_range()
    shape = BootInformationShape(information_address=image.start + 64)
    case = Case(MEMORY, MemoryMap.pc(MEMORY), shape=shape)
    assert "two things are to lie at" in str(why_impossible(case.spec(kernel)))


def test_a_place_where_there_is_no_ram_is_impossible(kernel: KernelImage) -> None:
    case = Case(MEMORY, MemoryMap.pc(MEMORY), shape=BootInformationShape(map_address=MEMORY - 8))
    assert "is not RAM" in str(why_impossible(case.spec(kernel)))
