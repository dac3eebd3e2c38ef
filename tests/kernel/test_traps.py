"""Every way to crash on purpose, and what the console then says."""

from __future__ import annotations

import re

import pytest

from harness.image.kernel_image import KernelImage
from harness.machine.ending import Ending, EndingKind
from harness.machine.errors import GuestEnded
from harness.machine.pool import Pool
from harness.machine.spec import MachineSpec
from tests.kernel.layouts import both_layouts

MEMORY = 16 << 20
NUMBER = r"0x[0-9a-f]{8}"
EIP = rf"eip {NUMBER}"


def crash(kernel: KernelImage, pool: Pool, kind: str, cpu: str = "qemu32") -> tuple[Ending, str]:
    """Crash a fresh machine; return how it ended and all that it printed."""
    with pool.boot(MachineSpec(kernel, MEMORY, cpu=cpu)) as guest:
        assert guest.run_until_ready().kind is EndingKind.READY
        with pytest.raises(GuestEnded) as caught:
            guest.monitor.command(f"crash {kind}", timeout=2)
        return caught.value.ending, guest.console.log.text()


# Names: Intel SDM volume 3, table 6-1.
@both_layouts
@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("divide", f"divide error, {EIP}"),
        ("breakpoint", f"breakpoint, {EIP}"),
        ("invalid-opcode", f"invalid opcode, {EIP}"),
        ("general-protection", rf"general protection fault \(GDT entry {0x1230 >> 3}\), {EIP}"),
        ("page-fault", rf"page fault at 0x00000004 \(write, not present\), {EIP}"),
        ("write-rodata", rf"page fault at {NUMBER} \(write, protection\), {EIP}"),
        ("write-text", rf"page fault at {NUMBER} \(write, protection\), {EIP}"),
        ("double-fault", f"double fault, {EIP}"),
        ("overflow", f"double fault: stack overflow at {NUMBER}, {EIP}"),
    ],
)
def test_an_exception_is_reported_with_registers_and_trace(
    kernel: KernelImage, pool: Pool, kind: str, message: str
) -> None:
    ending, console = crash(kernel, pool, kind)
    assert ending.kind is EndingKind.PANIC
    report = re.search(
        rf"^panic: {message}\neax=.* eflags={NUMBER}\nesi=.* error={NUMBER}\n"
        rf"cr0={NUMBER} cr2={NUMBER} cr3={NUMBER} cr4={NUMBER}\n"
        rf"trace: (?P<trace>.*)\npanic: end\n",
        console,
        re.MULTILINE,
    )
    assert report, console
    function = kernel.function_at(int(report["trace"].split()[0], 16))
    assert function is not None
    culprit = "crash_recurse" if kind == "overflow" else f"crash_{kind.replace('-', '_')}"
    assert function[0].split(".")[0] == culprit


@both_layouts
def test_a_stack_overflow_stops_at_the_guard_page(kernel: KernelImage, pool: Pool) -> None:
    _, console = crash(kernel, pool, "overflow")
    found = re.search(rf"stack overflow at ({NUMBER})", console)
    assert found
    guard = range(kernel.symbol("boot_stack_guard_low"), kernel.symbol("boot_stack"))
    assert int(found[1], 16) in guard


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("panic", "asked for by the monitor"),
        ("assert", r"assertion failed: memory_is_sound \(kernel/monitor/commands/crash\.c:\d+\)"),
    ],
)
def test_a_panic_has_a_trace_from_its_caller(
    kernel: KernelImage, pool: Pool, kind: str, message: str
) -> None:
    ending, console = crash(kernel, pool, kind)
    assert ending.kind is EndingKind.PANIC
    report = re.search(rf"^panic: {message}\ntrace: (.*)\npanic: end\n", console, re.MULTILINE)
    assert report, console
    caller = kernel.function_at(int(report[1].split()[0], 16) - 1)
    assert caller is not None
    assert caller[0] == f"crash_{kind}"


def test_a_panic_inside_a_panic_stops_at_once(kernel: KernelImage, pool: Pool) -> None:
    ending, console = crash(kernel, pool, "nested")
    assert ending.kind is EndingKind.PANIC
    assert console.count("panic: ") == 1


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("triple", EndingKind.TRIPLE_FAULT),
        ("reset", EndingKind.RESET),
        ("hang", EndingKind.HANG),
        ("halt", EndingKind.HANG),
    ],
)
def test_what_is_no_panic_ends_as_what_it_is(
    kernel: KernelImage, pool: Pool, kind: str, expected: EndingKind
) -> None:
    ending, _ = crash(kernel, pool, kind)
    assert ending.kind is expected
    if expected is EndingKind.HANG:
        assert ending.backtrace[0].function == f"crash_{kind}"


def test_a_486_reports_too(kernel: KernelImage, pool: Pool) -> None:
    _, console = crash(kernel, pool, "page-fault", cpu="486,-pse")
    assert re.search(r"^panic: page fault at 0x00000004 \(write, not present\)", console, re.M)
