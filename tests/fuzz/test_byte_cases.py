"""The competitor of the mutator makes fair cases: all that there is to vary, the same each time."""

from __future__ import annotations

from dataclasses import fields

from harness.fuzz.attempt import Attempt
from harness.fuzz.case import Case
from harness.fuzz.possible import why_impossible
from harness.fuzz.sound import sound
from harness.image.kernel_image import KernelImage
from tests.fuzz.byte_cases import Bytes

MEMORY = 64 << 20


def drawn(kernel: KernelImage, seed: int, count: int) -> list[Case]:
    """Return cases of which each shows something new, so that its string is kept and changed."""
    search, found = Bytes(kernel, MEMORY, seed), []
    for number in range(count):
        found.append(search.next_case())
        search.learn(Attempt(found[-1], "good", frozenset({str(number)})))
    return found


def test_the_same_seed_gives_the_same_cases(kernel: KernelImage) -> None:
    assert drawn(kernel, 1, 20) == drawn(kernel, 1, 20)
    assert drawn(kernel, 1, 20) != drawn(kernel, 2, 20)


def test_every_dimension_is_reached_and_most_cases_can_be(kernel: KernelImage) -> None:
    cases = drawn(kernel, 3, 150)
    for field in fields(Case):
        # Another size or CPU is as seldom as in the mutator's cases.
        if field.name not in ("boot", "cpu", "memory"):
            assert len({repr(getattr(case, field.name)) for case in cases}) > 1, field.name
    assert all(case.steps == sound(case.steps) for case in cases)
    impossible = [case for case in cases if why_impossible(case.spec(kernel)) is not None]
    assert len(impossible) < len(cases) // 4
