"""Every way for a run to end, on real machines with kernels made for it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from harness.machine.ending import EndingKind
from harness.machine.errors import GuestEnded
from harness.machine.machine import Machine
from harness.machine.spec import BootPath, MachineSpec
from tests.machine import kernels

MEMORY = 16 << 20


def run(kernel, timeout: float = 2.0, **fields):
    with Machine(MachineSpec(kernel, MEMORY, **fields)) as machine:
        return machine.boot().run_until_ready(timeout)


@pytest.mark.parametrize(
    ("work", "kind", "message"),
    [
        (kernels.READY, EndingKind.READY, "ready"),
        (kernels.PANIC, EndingKind.PANIC, "it is over"),
        (kernels.SILENT_PANIC, EndingKind.PANIC, "it is over"),
        (kernels.NOTIFY, EndingKind.PANIC, "pvpanic"),
        (kernels.REFUSED, EndingKind.REFUSED, "no memory"),
        (kernels.TRIPLE_FAULT, EndingKind.TRIPLE_FAULT, "double fault"),
        (kernels.RESET_CF9, EndingKind.RESET, "reset"),
        (kernels.RESET_8042, EndingKind.RESET, "reset"),
        (kernels.POWER_OFF, EndingKind.POWER_OFF, "switched"),
        (kernels.HALT, EndingKind.HANG, "halted with interrupts off in work ("),
    ],
)
def test_each_ending_is_told_apart(
    tmp_path: Path, work: str, kind: EndingKind, message: str
) -> None:
    ending = run(kernels.assemble(tmp_path, work))
    assert ending.kind is kind, ending
    assert message in ending.message
    assert "kernel: first" in ending.console_tail


def test_a_hang_says_where(tmp_path: Path) -> None:
    ending = run(kernels.assemble(tmp_path, kernels.SPIN), timeout=0.3)
    assert ending.kind is EndingKind.HANG
    assert "0.3 s of CPU time; in work (" in ending.message
    assert "in 20 of 20 looks" in ending.message


def test_a_bad_ending_has_backtrace_and_registers(tmp_path: Path) -> None:
    ending = run(kernels.assemble(tmp_path, "mov $0x1234, %edi\n" + kernels.TRIPLE_FAULT))
    assert [frame.function for frame in ending.backtrace] == ["work", "_start"]
    assert all(frame.file and frame.file.endswith("kernel.S") for frame in ending.backtrace)
    assert ending.registers is not None
    assert ending.registers.edi == 0x1234
    assert ending.registers.eip == ending.backtrace[0].address


def test_a_triple_fault_between_resume_and_pause_is_one_all_the_same(tmp_path: Path) -> None:
    kernel = kernels.assemble(tmp_path, kernels.TRIPLE_FAULT)
    with Machine(MachineSpec(kernel, MEMORY)) as machine:
        for times in range(30):
            guest = machine.boot()
            for _ in range(times % 5):
                guest.resume()
                guest.pause()
            guest.resume()
            assert guest.run_until_ready(2.0).kind is EndingKind.TRIPLE_FAULT


def test_a_look_at_a_qemu_that_is_ending(tmp_path: Path, children: Callable[[], set[int]]) -> None:
    """It hangs up some time before it is gone."""
    spec = MachineSpec(kernels.assemble(tmp_path, kernels.READY), MEMORY)
    for _ in range(5):
        before = children()
        with Machine(spec) as machine:
            guest = machine.boot()
            assert guest.run_until_ready().kind is EndingKind.READY
            (process,) = children() - before
            os.kill(process, signal.SIGKILL)
            deadline = time.monotonic() + 5
            while (ending := guest.look()) is None and time.monotonic() < deadline:
                pass
            assert ending is not None
            assert ending.kind is EndingKind.QEMU_DIED
            assert "SIGKILL" in ending.message


def test_qemu_killed_under_a_guest(tmp_path: Path, children: Callable[[], set[int]]) -> None:
    kernel = kernels.assemble(tmp_path, kernels.SPIN)
    with Machine(MachineSpec(kernel, MEMORY)) as machine:
        guest = machine.boot()
        guest.wait_for_line("first")
        (process,) = children()
        os.kill(process, signal.SIGKILL)
        ending = guest.run_until_ready(2.0)
        assert ending.kind is EndingKind.QEMU_DIED
        assert "SIGKILL" in ending.message
        assert "kernel: first" in ending.console_tail
        # The machine gets a new process and works again.
        assert "first" in machine.boot().wait_for_line("first")


def test_execution_that_left_the_kernel_is_a_wrong_image(tmp_path: Path) -> None:
    # Entered in its data: what follows is `jmp .` somewhere else in RAM.
    work = "movw $0xFEEB, 0x400000\nmov $0x400000, %eax\njmp *%eax\n"
    kernel = kernels.assemble(tmp_path, work)
    silent = replace(kernel, description=kernels.NEVER_FIRST)
    ending = run(silent, timeout=0.3)
    assert ending.kind is EndingKind.WRONG_IMAGE
    assert "0x400000" in ending.message


def test_an_entry_point_that_is_never_reached_is_a_wrong_image(tmp_path: Path) -> None:
    kernel = kernels.assemble(tmp_path, kernels.READY)
    # The loader jumps to where the file says; the harness waits elsewhere.
    elsewhere = replace(kernel, entry=kernel.symbol("no_idt"))
    ending = run(elsewhere, boot=BootPath.MULTIBOOT)
    assert ending.kind is EndingKind.WRONG_IMAGE
    assert "was not reached" in ending.message


def test_a_guest_that_ended_stays_ended(tmp_path: Path) -> None:
    kernel = kernels.assemble(tmp_path, kernels.PANIC)
    with Machine(MachineSpec(kernel, MEMORY)) as machine:
        guest = machine.boot()
        ending = guest.run_until_ready(2.0)
        assert guest.run_until_ready(2.0) is ending
        with pytest.raises(GuestEnded, match="it is over"):
            guest.wait_for_line("anything")


def test_of_a_kernel_without_description_only_is_known_that_it_runs(tmp_path: Path) -> None:
    kernel = kernels.assemble(tmp_path, "1: hlt\njmp 1b\n", kernels.NO_DESCRIPTION)
    ending = run(kernel)
    assert ending.kind is EndingKind.RUNNING
    assert ending.message == "halted until an interrupt comes"


def test_a_kernel_without_description_that_computes_on(tmp_path: Path) -> None:
    kernel = kernels.assemble(tmp_path, "1: jmp 1b\n", kernels.NO_DESCRIPTION)
    with Machine(MachineSpec(kernel, MEMORY)) as machine:
        ending = machine.boot().run_until_ready(0.3)
    assert ending.kind is EndingKind.RUNNING


def test_execution_that_left_a_kernel_without_description_is_told(tmp_path: Path) -> None:
    # An endless loop in RAM that is no part of the kernel.
    work = "movw $0xfeeb, 0x300000\nmovl $0x300000, %eax\njmp *%eax\n"
    kernel = kernels.assemble(tmp_path, work, kernels.NO_DESCRIPTION)
    with Machine(MachineSpec(kernel, MEMORY)) as machine:
        ending = machine.boot().run_until_ready(0.3)
    assert ending.kind is EndingKind.WRONG_IMAGE
