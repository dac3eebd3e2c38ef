"""Machines for Hypothesis: all possible, in every dimension, and small when they fail."""

from __future__ import annotations

from dataclasses import fields

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from harness.check.verify import verify
from harness.fuzz.attempt import attempt
from harness.fuzz.case import Case
from harness.fuzz.for_hypothesis import fitting
from harness.fuzz.possible import why_impossible
from harness.fuzz.steps import sound
from harness.fuzz.strategies import cases, machine_specs
from harness.image.kernel_image import KernelImage
from harness.machine.pool import Pool
from harness.machine.shape import BootInformationShape
from harness.machine.spec import Fill, MachineSpec
from harness.maps.region import PAGE_SIZE
from tests.fuzz.bugs import counts_too_little, rounds_the_start_down
from tests.kernel.planted import SourceCopy

pytestmark = pytest.mark.slow

MIB = 1 << 20
MEMORY = 16 * MIB


def drawn(strategy: st.SearchStrategy[Case], count: int) -> list[Case]:
    """Return the first values that a strategy gives, the same each time."""
    found: list[Case] = []

    @given(strategy)
    @settings(max_examples=count, deadline=None, derandomize=True)
    def draw(value: Case) -> None:
        found.append(value)

    draw()
    return found


def test_every_dimension_is_reached_by_machines_that_can_be(kernel: KernelImage) -> None:
    found, plain = drawn(cases(kernel), 250), BootInformationShape()
    assert [why for case in found if (why := why_impossible(case.spec(kernel)))] == []
    for field in fields(Case):
        if field.name != "boot":
            assert len({repr(getattr(case, field.name)) for case in found}) > 1, field.name
    for field in fields(plain):
        if field.name not in ("memory_lower", "memory_upper", "module_count"):
            values = {repr(getattr(case.shape, field.name)) for case in found}
            assert len(values) > 1, field.name
    entries = [entry for case in found for entry in case.map.entries]
    image = kernel.image_range()
    assert any(abs(edge - image.stop) <= PAGE_SIZE for e in entries for edge in (e.base, e.end))
    assert any(entry.end > 1 << 32 > entry.base for entry in entries)
    assert max(len(case.map.entries) for case in found) >= 128
    assert all(sound(case.steps) == case.steps for case in found)
    # A machine of the usual kind is booted anew by the process that there is.
    usual = [c for c in found if (c.memory, c.cpu, c.fill) == (64 * MIB, "qemu32", Fill())]
    assert len(usual) > len(found) / 2


@given(machine_specs())
@settings(max_examples=30)
def test_a_sound_kernel_manages_any_of_them(
    kernel: KernelImage, pool: Pool, spec: MachineSpec
) -> None:
    verdict = verify(spec, pool)
    assert verdict.verdict != "finding", verdict.violations


@given(cases(memory=MEMORY))
@settings(max_examples=20)
def test_and_any_operations_on_them(kernel: KernelImage, pool: Pool, case: Case) -> None:
    assert attempt(case, kernel, pool).violations == ()


FITTING = fitting(settings(database=None, derandomize=True, max_examples=300))


def test_a_bug_in_the_map_is_shown_by_few_entries(source_copy: SourceCopy, pool: Pool) -> None:
    wrong, tried = rounds_the_start_down(source_copy), []

    @FITTING
    @given(machine_specs(wrong, MEMORY))
    def keeps_to_the_map(spec: MachineSpec) -> None:
        tried.append(spec)
        assert verify(spec, pool).verdict != "finding"

    with pytest.raises(AssertionError):
        keeps_to_the_map()
    smallest = tried[-1]
    assert len(smallest.map.entries) <= 3
    assert (smallest.modules, smallest.append, smallest.cpu) == ((), "", MachineSpec.cpu)
    assert smallest.shape == BootInformationShape()


def test_a_bug_that_operations_show_is_shown_by_few(source_copy: SourceCopy, pool: Pool) -> None:
    wrong, tried = counts_too_little(source_copy), []

    @FITTING
    @given(cases(wrong, 4 * MIB))
    def keeps_count(case: Case) -> None:
        tried.append(case)
        assert not attempt(case, wrong, pool).violations

    with pytest.raises(AssertionError):
        keeps_count()
    assert 0 < len(tried[-1].steps) <= 5
    assert len(tried[-1].map.entries) <= 3


@given(machine_specs())
def nothing_to_boot(spec: MachineSpec) -> None:
    raise AssertionError("there is no machine without a kernel")


def test_without_a_kernel_it_is_said_what_is_missing() -> None:
    with pytest.raises(InvalidArgument, match="let the test take one of the fixtures boot"):
        nothing_to_boot()
