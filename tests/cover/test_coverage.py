"""Coverage counted by QEMU, against what was asked of the kernel."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.cover.coverage import Coverage, coverage_of
from harness.cover.executed import Executed
from harness.image.elf import load_kernel
from harness.image.kernel_image import KernelImage
from harness.machine.guest import Guest
from harness.machine.machine import Machine
from harness.machine.spec import BootPath, MachineSpec
from harness.report.coverage_text import coverage_text, lcov_text
from tests.kernel.planted import TREE

MEMORY = 16 << 20


@contextmanager
def counted(
    kernel: KernelImage, boot: BootPath = BootPath.DIRECT
) -> Iterator[tuple[Guest, Executed]]:
    with (
        Executed(kernel) as executed,
        Machine(MachineSpec(kernel, MEMORY, boot=boot), executed.extra) as machine,
        machine.boot() as guest,
    ):
        assert guest.run_until_ready().alive
        yield guest, executed


def calls(coverage: Coverage) -> dict[str, int]:
    return {function.name: function.calls for function in coverage.functions}


def test_a_function_is_called_as_often_as_it_was_asked_to(kernel: KernelImage) -> None:
    with counted(kernel) as (guest, executed):
        for _ in range(3):
            guest.monitor.require("alloc 0")
        guest.pause()
        found = calls(coverage_of(kernel, executed.counts()))
    assert found["command_alloc"] == 3
    assert found["command_kmalloc"] == 0


@pytest.mark.parametrize("boot", BootPath)
def test_code_before_and_after_paging_is_counted(kernel: KernelImage, boot: BootPath) -> None:
    with counted(kernel, boot) as (guest, executed):
        guest.pause()
        counts = executed.counts()
    assert _at(counts, kernel, kernel.entry) >= 1  # more where the CPU was stopped there
    assert calls(coverage_of(kernel, counts))["kernel_main"] == 1


def _at(counts: dict[int, object], kernel: KernelImage, physical: int) -> int:
    [segment] = [s for s in kernel.segments if 0 <= physical - s.physical < len(s.data)]
    return int(counts[segment.virtual][physical - segment.physical])  # type: ignore[index]


def test_lines_that_were_reached_count_and_others_do_not(kernel: KernelImage) -> None:
    with counted(kernel) as (guest, executed):
        guest.pause()
        lines = coverage_of(kernel, executed.counts()).lines
    assert [_count(lines, "kernel/main.c", text) for text in ("serial_init();", "mm_init();")] == [
        1,
        1,
    ]
    assert _count(lines, "kernel/lib/panic.c", "panic_begin();") == 0


def _count(lines: Mapping[str, Mapping[int, int]], file: str, text: str) -> int:
    """Return the count of the first line of a source file that says ``text``."""
    [counts] = [found for name, found in lines.items() if name.endswith(file)]
    source = (TREE / file).read_text().splitlines()
    return counts[1 + [line.strip() for line in source].index(text)]


def test_lcov_says_what_the_table_says(kernel: KernelImage) -> None:
    with counted(kernel) as (guest, executed):
        guest.pause()
        coverage = coverage_of(kernel, executed.counts())
    text = lcov_text(coverage)
    found = sum(int(line[3:]) for line in text.splitlines() if line.startswith("LF:"))
    hit = sum(int(line[3:]) for line in text.splitlines() if line.startswith("LH:"))
    last = coverage_text(coverage).splitlines()[-1].split()
    assert last[:2] == ["all", f"{hit}/{found}"]
    assert 0 < hit < found


def test_without_symbols_only_instructions_are_counted(kernel: KernelImage, tmp_path: Path) -> None:
    bare = tmp_path / "kernel.elf"
    subprocess.run(["strip", "--strip-all", "-o", bare, kernel.path], check=True)
    stripped = load_kernel(bare, kernel.description)
    with counted(stripped) as (guest, executed):
        guest.pause()
        coverage = coverage_of(stripped, executed.counts())
    assert coverage.functions == ()
    assert coverage.lines == {}
    assert coverage.instructions > 1000
    assert "no symbols and no debug information" in coverage_text(coverage)
