"""Findings of campaigns as tests of somebody's, far from any checkout."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.fuzz.attempt import attempt
from harness.fuzz.case import Case
from harness.fuzz.finding import CASE, Finding, note_finding, write_finding
from harness.fuzz.shrink import Shrunk
from harness.image.build import build_directory
from harness.image.find import load_or_build
from harness.image.kernel_image import KernelImage
from harness.machine.pool import Pool
from harness.maps.memory_map import MemoryMap
from harness.maps.region import Region
from harness.workload.operation import Kind, operation
from tests.fuzz.bugs import rounds_the_start_down
from tests.kernel.planted import TREE, SourceCopy

pytestmark = pytest.mark.slow

MIB = 1 << 20
BUILD = 'command = ["make", "-C", "{source}", "O={build}", "{variables}"]'
COPY = 'command = ["cp", "{source}/kernel.elf", "{build}/kernel.elf"]'
CASES = (
    Case(4 * MIB, MemoryMap((Region(MIB, 3 * MIB, 1), Region(0x1001, 0x3000, 1)))),
    Case(8 * MIB, MemoryMap((Region(0x1001, 0x8000, 1), Region(MIB, 7 * MIB, 1)))),
)


def as_theirs(folder: Path, built: KernelImage) -> KernelImage:
    """Return a kernel as a folder of somebody's own, with a description beside the ELF."""
    shutil.copyfile(built.path, folder / "kernel.elf")
    text = (TREE / "kernel" / "harness.toml").read_text()
    assert text.count(BUILD) == 1
    (folder / "harness.toml").write_text(text.replace(BUILD, COPY))
    return load_or_build(folder, {})


@pytest.fixture
def wrong(user: pytest.Pytester, source_copy: SourceCopy) -> Iterator[KernelImage]:
    """Somebody's kernel with a bug."""
    folder = user.mkdir("theirs")
    built = as_theirs(folder, rounds_the_start_down(source_copy))
    where = build_directory(built.description, {})
    yield built
    shutil.rmtree(where, ignore_errors=True)
    Path(f"{where}.lock").unlink(missing_ok=True)


@pytest.fixture
def findings(user: pytest.Pytester, wrong: KernelImage, pool: Pool) -> Path:
    """The folder that a campaign on that kernel leaves."""
    folder = user.mkdir("findings")
    for number, case in enumerate(CASES):
        one = folder / f"firmware-map.extra-{number}"
        found = attempt(case, wrong, pool)
        assert found.group is not None
        note_finding(one, found, wrong)
        write_finding(one, Finding(found.group, found, Shrunk(case, 1), found, 1.0), wrong, pool)
    user.path.joinpath("tox.ini").unlink()
    return folder


def test_they_run_with_their_kernel_until_another_is_named(
    user: pytest.Pytester, findings: Path
) -> None:
    def replay(*flags: str) -> pytest.RunResult:
        return user.runpytest_subprocess("-p", "no:cacheprovider", "findings", *flags)

    result = replay("-n", "1", "--mm-cores=0")
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["*firmware-map.extra: frame 0x1 *"])
    assert "machine: memory map" in result.stdout.str()

    mended = TREE / "kernel" / "harness.toml"
    replay(f"--mm-kernel={mended}").assert_outcomes(passed=2)
    user.makeini(f"[pytest]\nmm_kernel = {mended}\n")
    replay().assert_outcomes(passed=2)


def test_what_is_missing_or_damaged_is_named(user: pytest.Pytester, findings: Path) -> None:
    one, other = sorted(findings.glob(f"*/{CASE}"))
    one.write_text("{")
    shutil.rmtree(user.path / "theirs")
    result = user.runpytest_subprocess("-p", "no:cacheprovider", "findings")
    result.assert_outcomes(errors=2)
    result.stdout.fnmatch_lines_random(
        [
            f"*{one} holds no case: *; bring it back, or *",
            f"*{other}: its kernel is not at */theirs/* any more: give *",
        ]
    )
    assert "Traceback" not in result.stdout.str()
    named = f"--mm-kernel={TREE / 'kernel'}"
    result = user.runpytest_subprocess("-p", "no:cacheprovider", "findings", named)
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines([f"{one} holds no case: *; bring it back, or remove its folder"])


def test_what_the_kernel_cannot_carry_out_is_skipped(
    user: pytest.Pytester, findings: Path, kernel: KernelImage
) -> None:
    folder = user.mkdir("bare")
    built = as_theirs(folder, kernel)
    description = folder / "harness.toml"
    description.write_text(re.sub(r"(?ms)^\[tape\].*?^(?=\[)", "", description.read_text()))
    one, _ = sorted(findings.glob(f"*/{CASE}"))
    said = json.loads(one.read_text())
    said["case"]["steps"] = [operation(Kind.FRAMES_ALLOC, 1, 2)] * 3
    one.write_text(json.dumps(said))

    def replay(*flags: str) -> pytest.RunResult:
        return user.runpytest_subprocess(
            "-p", "no:cacheprovider", "-rs", "findings", f"--mm-kernel={folder}", *flags
        )

    result = replay()
    result.assert_outcomes(skipped=1, passed=1)
    result.stdout.fnmatch_lines(["SKIPPED*extra-0/test_finding.py*the case has operations*"])
    replay("--mm-strict").assert_outcomes(failed=1, passed=1)
    shutil.rmtree(build_directory(built.description, {}), ignore_errors=True)
