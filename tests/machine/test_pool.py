"""Warm machines are as good as new ones, and nothing is left behind."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.machine.ending import EndingKind
from harness.machine.errors import SpecError
from harness.machine.machine import Machine
from harness.machine.pool import Pool
from harness.machine.spec import BootPath, Fill, FillKind, MachineSpec
from harness.maps.memory_map import MemoryMap
from harness.maps.region import Region
from tests.machine import kernels

MEMORY = 16 << 20


Children = Callable[[], set[int]]


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.slow
def test_a_hundred_resets_leave_the_same_state(tmp_path: Path, children: Children) -> None:
    kernel = kernels.assemble(tmp_path, kernels.READY)
    spec = MachineSpec(kernel, MEMORY)
    states, processes = set(), set()
    with Pool() as pool:
        for _ in range(100):
            guest = pool.boot(spec)
            assert guest.run_until_ready().kind is EndingKind.READY
            guest.pause()
            processes |= children()
            ram = guest.ram.array(0, np.uint64, MEMORY // 8)
            # Of the registers, only those that the last instructions after the line leave alone.
            registers = guest.registers()
            control = registers.cr0, registers.ebp, registers.edi
            states.add((int(ram.sum()), control, guest.console.log.text()))
    assert len(states) == 1
    assert len(processes) == 1


@pytest.mark.parametrize(
    "work", [kernels.PANIC, kernels.TRIPLE_FAULT, kernels.RESET_CF9, kernels.HALT]
)
def test_a_machine_is_reused_after_any_ending(
    tmp_path: Path, work: str, children: Children
) -> None:
    kernel = kernels.assemble(tmp_path, work)
    with Pool() as pool:
        first = pool.boot(MachineSpec(kernel, MEMORY)).run_until_ready()
        before = children()
        second = pool.boot(MachineSpec(kernel, MEMORY)).run_until_ready()
        assert children() == before
    assert first == second
    assert first.kind is not EndingKind.READY


def test_what_may_differ_reuses_a_process_and_what_may_not_does_not(
    tmp_path: Path, children: Children
) -> None:
    kernel = kernels.assemble(tmp_path, kernels.READY)
    (tmp_path / "other").mkdir()
    other = kernels.assemble(tmp_path / "other", "nop\n" + kernels.READY)
    chosen = MemoryMap((Region(0, 0x9F000, 1), Region(0x100000, 0xF00000, 1)))
    spec = MachineSpec(kernel, MEMORY, chosen)
    with Pool(size=4) as pool:
        pool.boot(spec)
        one = children()
        pool.boot(replace(spec, map=MemoryMap((Region(0x100000, 0x800000, 1),)), append="x"))
        assert children() == one
        pool.boot(replace(spec, kernel=other))
        assert len(children()) == 2
        pool.boot(replace(spec, memory=2 * MEMORY))
        pool.boot(replace(spec, cpu="486"))
        pool.boot(replace(spec, fill=Fill(FillKind.ZERO)))
        assert len(children()) == 4, "the longest unused makes room"
        assert not one & children()
    assert not children()


def test_firmware_machines_are_not_kept(tmp_path: Path, children: Children) -> None:
    kernel = kernels.assemble(tmp_path, kernels.READY)
    spec = MachineSpec(kernel, MEMORY, boot=BootPath.MULTIBOOT)
    with Pool() as pool:
        for _ in range(2):
            assert pool.boot(spec).run_until_ready().kind is EndingKind.READY
            assert len(children()) == 1


def test_nothing_is_left_behind(tmp_path: Path, children: Children) -> None:
    kernel = kernels.assemble(tmp_path, kernels.READY)

    def fail() -> None:
        with Machine(MachineSpec(kernel, MEMORY)) as machine:
            machine.boot()
            raise ZeroDivisionError

    def use() -> None:
        with Machine(MachineSpec(kernel, MEMORY)) as machine:
            machine.boot().stop_before("work")
        with Pool(2) as pool:
            pool.boot(MachineSpec(kernel, MEMORY)).run_until_ready()
        with pytest.raises(ZeroDivisionError):
            fail()

    use()
    before = descriptors(), set(Path("/tmp").glob("harness-*"))
    for _ in range(3):
        use()
    assert (descriptors(), set(Path("/tmp").glob("harness-*"))) == before
    assert not children()


def test_a_machine_that_qemu_refuses_leaves_nothing_behind(
    tmp_path: Path, children: Children
) -> None:
    spec = MachineSpec(kernels.assemble(tmp_path, kernels.READY), MEMORY)
    with Pool() as pool:
        pool.boot(spec)
        before = descriptors(), children()
        for path in (BootPath.DIRECT, BootPath.MULTIBOOT):
            with pytest.raises(SpecError, match="knows no CPU"):
                pool.boot(replace(spec, cpu="no-such-cpu", boot=path))
        assert (descriptors(), children()) == before
        assert pool.boot(spec).run_until_ready().kind is EndingKind.READY


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_qemu_ends_with_us_however_we_end(tmp_path: Path, number: signal.Signals) -> None:
    kernel = kernels.assemble(tmp_path, kernels.SPIN)
    program = f"""
import pathlib, tests.machine.kernels as kernels
from harness.image.elf import load_kernel
from harness.machine.machine import Machine
from harness.machine.spec import MachineSpec
kernel = load_kernel(pathlib.Path({str(kernel.path)!r}), kernels.DESCRIPTION)
with Machine(MachineSpec(kernel, {MEMORY})) as machine:
    guest = machine.boot()
    guest.wait_for_line("first")
    print(machine._vm.process.pid, flush=True)
    guest.run_until_ready(60)
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        qemu = os.pidfd_open(int(process.stdout.readline()))
        process.send_signal(number)
        process.wait(20)
        assert select.select([qemu], [], [], 10)[0], "QEMU outlived its owner"
        os.close(qemu)
