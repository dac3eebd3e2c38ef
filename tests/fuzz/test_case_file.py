"""Cases as files: whole, and never taken for what they are not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from harness.fuzz.borders import borders
from harness.fuzz.case import Case
from harness.fuzz.case_file import CaseError, KernelFacts, case_text, load_case
from harness.fuzz.corpus import command_lines, seeds
from harness.fuzz.mutator import mutate
from harness.fuzz.surroundings import Surroundings
from harness.image.kernel_image import KernelImage
from harness.machine.spec import BootPath, MachineSpec
from harness.maps.memory_map import MemoryMap
from harness.workload.operation import Kind, operation

MEMORY = 64 << 20


def mutants(kernel: KernelImage, count: int) -> list[Case]:
    random, found = Random(1), seeds(kernel, MEMORY)
    around = Surroundings(
        borders(kernel, MEMORY), (MEMORY,), command_lines(kernel), ("486",), found
    )
    return [mutate(random.choice(found), around, random) for _ in range(count)]


def test_any_case_comes_back_as_it_was(kernel: KernelImage, tmp_path: Path) -> None:
    path = tmp_path / "case.json"
    step = operation(Kind.FRAMES_ALLOC, slot=3, size=2)
    cases = [*mutants(kernel, 200), Case(MEMORY, MemoryMap.pc(MEMORY), steps=(step,))]
    assert sum(bool(case.modules) for case in cases) > 5
    for case in cases:
        path.write_text(case_text(case, kernel, "a group"))
        found = load_case(path)
        assert found.case == case
        assert [m.data for m in found.case.modules] == [m.data for m in case.modules]
        assert (found.group, found.kernel) == ("a group", KernelFacts.of(kernel))


def test_a_machine_is_a_case_unless_it_is_more_than_one_can_say(kernel: KernelImage) -> None:
    for case in (replace(case, steps=()) for case in mutants(kernel, 100)):
        assert Case.of(case.spec(kernel)) == case
    plain = MachineSpec(kernel, MEMORY)
    assert Case.of(plain) == Case(MEMORY, MemoryMap.pc(MEMORY))
    assert Case.of(replace(plain, icount=True)) is None
    assert Case.of(replace(plain, boot=BootPath.ISO)) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "Input data was truncated"),
        ("[]", "Expected `object`"),
        ('{"format": 2}', "format 2; this program reads 1"),
        ('{"format": 1}', "missing required field `case`"),
        (
            '{"format": 1, "case": {"memory": "64M"}}',
            r"Expected `int`, got `str` - at `$.case.memory`",
        ),
        ("[" * 100000, "Expected `object`"),
    ],
)
def test_what_is_no_case_is_said_to_be_none(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "no-case.json"
    path.write_text(text)
    with pytest.raises(CaseError) as error:
        load_case(path)
    assert str(path) in str(error.value)
    assert said in str(error.value)


def test_a_region_that_no_firmware_gives_is_refused(kernel: KernelImage, tmp_path: Path) -> None:
    path = tmp_path / "case.json"
    text = case_text(Case(MEMORY, MemoryMap.pc(MEMORY)), kernel)
    path.write_text(text.replace('"base": 0,', '"base": -1,', 1))
    with pytest.raises(CaseError, match="base -0x1 is no unsigned 64-bit number"):
        load_case(path)
