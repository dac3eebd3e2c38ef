"""What the harness sees of a crash, beside what the kernel's own report says of it."""

from __future__ import annotations

import re
from dataclasses import asdict

import pytest

from harness.check.checked_guest import CheckedGuest
from harness.machine.ending import EndingKind
from tests.kernel.layouts import both_layouts
from tests.kernel.session import Session

pytestmark = [both_layouts, pytest.mark.machine(memory="16M")]

CRASH_FILE = "kernel/monitor/commands/crash.c"
EXCEPTIONS = [
    *("breakpoint", "divide", "double-fault", "general-protection", "invalid-opcode"),
    *("overflow", "page-fault", "write-rodata", "write-text"),
]


@pytest.mark.parametrize("kind", EXCEPTIONS)
def test_the_backtrace_reaches_what_crashed(guest: CheckedGuest, kind: str) -> None:
    """Through the trap's frame, and through the change of stacks of a double fault."""
    culprit = "crash_recurse" if kind == "overflow" else f"crash_{kind.replace('-', '_')}"
    session = Session(guest)
    ending = session.panic(f"crash {kind}")
    assert ending.kind is EndingKind.PANIC
    found = {(frame.function or "").split(".")[0]: frame for frame in ending.backtrace}
    assert found[culprit].file == CRASH_FILE
    assert found[culprit].line


@pytest.mark.parametrize("kind", ["panic", "assert"])
def test_the_backtrace_of_a_panic_goes_down_to_main(guest: CheckedGuest, kind: str) -> None:
    session = Session(guest)
    ending = session.panic(f"crash {kind}")
    functions = [frame.function for frame in ending.backtrace]
    path = ["panic", f"crash_{kind}", "command_crash", "monitor_run", "kernel_main"]
    assert [function for function in functions if function in path] == path
    assert all(frame.file and frame.line for frame in ending.backtrace)


@pytest.mark.machine(cpu=["qemu32", "486"])
def test_the_report_has_the_cpus_control_registers(guest: CheckedGuest) -> None:
    session = Session(guest)
    ending = session.panic("crash page-fault")
    told = dict(re.findall(r"\b(cr\d)=(0x[0-9a-f]{8})", ending.console_tail))
    assert ending.registers
    seen = asdict(ending.registers)
    assert sorted(told) == ["cr0", "cr2", "cr3", "cr4"]
    assert {name: int(value, 16) for name, value in told.items()} == {
        name: seen[name] for name in told
    }


def test_a_stray_call_is_reported_where_it_went(guest: CheckedGuest) -> None:
    """A page of ``call *%eax`` with EAX 0 … jumps to address 0, which no page holds."""
    session = Session(guest)
    frame = session.alloc(0)
    session.ok(f"poke {frame:#x} 0xd0ffc031")  # xor %eax, %eax; call *%eax
    page = session.layout.some_user
    session.ok(f"map {page:#x} {frame:#x}")
    touch = session.touch(page, "execute")
    assert (touch.vector, touch.address) == (14, 0)
    session.assert_sound()
