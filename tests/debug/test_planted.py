"""Blame names the line that does the damage, for corruptions of many kinds."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.check.verify import verify
from harness.debug.accuse import Accusation, accuse
from harness.debug.history import History
from harness.image.kernel_image import KernelImage
from harness.machine.spec import MachineSpec
from tests.debug.planted_kernel import PLANTED, planted_kernel

pytestmark = pytest.mark.slow

FOLDER = Path(__file__).parent / "planted"
PLANTS = sorted(path.stem for path in FOLDER.glob("*.c") if "CULPRIT" in path.read_text())
APPEND = {"bitmap_off_by_one": "frames=bitmap"}
"""What a plant needs of the kernel."""


@pytest.fixture(scope="module")
def planted() -> KernelImage:
    """The kernel's test build: all plants are in it, the command line chooses one."""
    return planted_kernel()


def _spec(planted: KernelImage, plant: str) -> MachineSpec:
    append = f"{APPEND.get(plant, '')} plant={plant}".strip()
    return MachineSpec(planted, 64 << 20, append=append)


def _culprit_line(plant: str) -> tuple[str, int]:
    lines = (FOLDER / f"{plant}.c").read_text().splitlines()
    (line,) = [at for at, text in enumerate(lines, 1) if "/* CULPRIT" in text]
    return f"{plant}.c", line


def _named(history: History) -> tuple[str, int] | None:
    """Return file and line of the innermost frame of the last store that is a plant's."""
    write = history.culprit
    for frame in write.frames if write else ():
        if frame.file and PLANTED in frame.file and frame.line:
            return Path(frame.file).name, frame.line
    return None


def _accuse(spec: MachineSpec) -> Accusation:
    verdict = verify(spec)
    assert verdict.verdict == "finding", verdict
    return accuse(spec, verdict.violations)


@pytest.mark.parametrize("plant", PLANTS)
def test_blame_goes_from_the_violation_to_the_line(planted: KernelImage, plant: str) -> None:
    accusation = _accuse(_spec(planted, plant))
    assert not accusation.unseen
    assert not accusation.doubts
    histories = list(accusation.histories.values())
    assert histories, "no violation names a word"
    assert _culprit_line(plant) in [_named(history) for history in histories]


def test_there_are_enough_plants_and_each_is_run() -> None:
    listed = re.findall(r"PLANT\((\w+)\)", (FOLDER / "plants.h").read_text())
    assert sorted(set(listed) - {"name"}) == PLANTS
    assert len(PLANTS) >= 20


def test_the_product_has_nothing_of_it(kernel: KernelImage, planted: KernelImage) -> None:
    assert any("plant" in name for name in planted.symbols)
    assert not any("plant" in name or "__wrap" in name for name in kernel.symbols)
    assert b"plant" not in kernel.contents
