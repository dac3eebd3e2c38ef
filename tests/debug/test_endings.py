"""What ends in front of the debugger: guests, gdb, QEMU, time, and the test that used it."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.debug.debugger import Debugger, StopTimeout
from harness.debug.guest import DebuggedGuest
from harness.debug.mi import GdbDied, GdbError
from harness.debug.stops import BreakpointHit, GuestEnd, Interrupted
from harness.image.kernel_image import KernelImage
from harness.machine.ending import EndingKind
from harness.machine.errors import GuestEnded, MachineError
from harness.machine.machine import Machine
from harness.machine.pool import Pool
from harness.machine.spec import MachineSpec
from tests.machine import kernels

Pids = Callable[[], set[int]]
MEMORY = 16 << 20


def until_stopped(guest: DebuggedGuest, debugger: Debugger) -> None:
    """Wait until gdb knows of a stop, without asking it which."""
    deadline = time.monotonic() + 10
    while debugger.running:
        guest.console.receive()  # or the guest waits for somebody to read what it prints
        assert time.monotonic() < deadline


@pytest.mark.parametrize(
    ("crash", "kind", "where"),
    [
        ("page-fault", EndingKind.PANIC, "crash_page_fault"),
        ("triple", EndingKind.TRIPLE_FAULT, "crash_triple"),
        ("reset", EndingKind.RESET, "command_crash"),
    ],
)
def test_an_end_is_a_stop_and_can_be_looked_at(
    guest: DebuggedGuest, debugger: Debugger, crash: str, kind: EndingKind, where: str
) -> None:
    guest.console.send(f"crash {crash}\r")
    until_stopped(guest, debugger)  # gdb is told of it as well, as of a signal
    stop = debugger.wait()
    assert isinstance(stop, GuestEnd)
    assert stop.ending.kind is kind
    assert where in [frame.function for frame in debugger.backtrace()]
    assert debugger.evaluate("kmalloc_statistics.blocks") is not None
    for go_on in (debugger.run, debugger.step, debugger.resume):
        with pytest.raises(GuestEnded, match=kind.value):
            go_on()
    debugger.close()
    # Attached anew, long after the end.
    assert where in [frame.function for frame in guest.debugger.backtrace()]


def test_a_guest_that_does_not_stop_in_time(guest: DebuggedGuest, debugger: Debugger) -> None:
    point = debugger.break_at("kfree")
    watched = debugger.watch("kmalloc_statistics.blocks")
    with pytest.raises(StopTimeout) as caught:
        debugger.wait(timeout=0.02)
    said = str(caught.value)
    assert f"({point}, {watched})" in said
    assert "serial_read" in said
    assert "ready: " in said  # the console's last lines
    assert debugger.running
    guest.console.send("kmalloc 8\r")
    assert debugger.wait().why.startswith(f"watchpoint {watched.number}")


def test_a_loop_is_interrupted(guest: DebuggedGuest, debugger: Debugger) -> None:
    guest.console.send("crash hang\r")
    with pytest.raises(StopTimeout, match="crash_hang"):
        debugger.wait(timeout=0.2)
    stop = debugger.interrupt()
    assert stop == Interrupted(stop.frame)
    assert stop.frame.function == "crash_hang"


def test_gdb_killed(guest: DebuggedGuest, debugger: Debugger, gdbs: Pids) -> None:
    debugger.break_at("kmalloc")
    (gdb,) = gdbs()
    os.kill(gdb, signal.SIGKILL)
    with pytest.raises(GdbDied, match="gdb has ended"):
        debugger.evaluate("1")
    assert debugger.closed
    with pytest.raises(GdbError, match="take a new one"):
        debugger.run()
    assert guest.monitor.kmalloc(size=100)  # it is the guest that it was, without breakpoints
    assert guest.debugger is not debugger
    assert guest.debugger.breakpoints() == ()
    guest.debugger.break_at("kmalloc")
    (gdb,) = gdbs()
    os.kill(gdb, signal.SIGKILL)
    with pytest.raises(GdbDied):
        guest.wait_for_line("never printed")
    assert guest.monitor.kmalloc(size=100)


@pytest.mark.parametrize("noticed", [False, True])
def test_qemu_killed(kernel: KernelImage, gdbs: Pids, noticed: bool) -> None:
    uses: tuple[Callable[[Debugger], object], ...] = (
        lambda debugger: debugger.evaluate("*(int *)0x1000"),
        Debugger.run,
        Debugger.stepi,
        Debugger.interrupt,
    )
    for use in uses if noticed else uses[:3]:  # nobody can tell who does nothing at once
        with Machine(MachineSpec(kernel, MEMORY)) as machine:
            guest = DebuggedGuest(machine.boot())
            debugger = guest.debugger
            process = guest._vm.process
            os.kill(process.pid, signal.SIGKILL)
            if noticed:
                assert select.select([process.exit_descriptor], [], [], 10)[0]
            with pytest.raises(GuestEnded, match="QEMU was killed by SIGKILL"):
                use(debugger)
            assert debugger.closed
            assert gdbs() == set()
            with pytest.raises(GuestEnded, match="SIGKILL"):
                _ = guest.debugger


def test_qemu_killed_while_the_guest_runs(kernel: KernelImage) -> None:
    with Machine(MachineSpec(kernel, MEMORY)) as machine:
        guest = DebuggedGuest(machine.boot())
        guest.debugger.resume()
        os.kill(guest._vm.process.pid, signal.SIGKILL)
        with pytest.raises(GuestEnded, match="QEMU was killed by SIGKILL"):
            guest.debugger.wait()


def test_the_stub_is_taken(guest: DebuggedGuest, debugger: Debugger) -> None:
    with pytest.raises(MachineError, match=r"a debugger is attached; close\(\)"), guest.stub():
        pass
    debugger.close()
    debugger.close()
    with guest.stub() as stub:
        assert stub.i386_registers()["eip"]


def test_a_warm_machine_is_clean(tmp_path: Path, gdbs: Pids) -> None:
    """No breakpoint, watchpoint, step or gdb is left for the next boot."""
    image = kernels.assemble(tmp_path, kernels.READY)
    spec = MachineSpec(image, MEMORY)
    with Pool() as pool:
        guest = DebuggedGuest(pool.boot(spec))
        debugger = guest.debugger
        for hardware in (False, True):
            debugger.break_at("work", hardware=hardware)
        debugger.watch("*(int *)&boot_eax")
        assert debugger.run()
        debugger.resume()
        for _ in range(2):
            again = DebuggedGuest(pool.boot(spec))
            assert gdbs() == set()
            assert debugger.closed
            assert again.run_until_ready().kind is EndingKind.READY
            assert again.debugger.breakpoints() == ()
            again.debugger.break_at("say")


def test_false_conditions_do_not_disturb_a_pause(guest: DebuggedGuest, debugger: Debugger) -> None:
    """At each hit gdb lets the guest run on by itself, also when it is told to stop just then."""
    debugger.break_at("serial_write", condition="0")
    for _ in range(30):
        guest.console.send("x")
        guest.pause()
        assert "paused" in guest.qemu("info status")
        assert not debugger.running
        before = guest.registers()
        assert guest.registers() == before
        guest.resume()
        assert debugger.running
        guest.console.receive()


def test_a_stop_is_told_before_it_is_left(guest: DebuggedGuest, debugger: Debugger) -> None:
    point = debugger.break_at("kmalloc")
    guest.console.send("kmalloc 8\r")
    until_stopped(guest, debugger)
    guest.resume()  # whoever says this takes it to be running
    assert debugger.evaluate("1") == 1
    stop = debugger.run()
    assert stop == BreakpointHit(stop.frame, point.number)
    debugger.resume()
    assert guest.wait_for_line("virtual=")


PROGRAM = """
import os, signal, sys
from pathlib import Path
from harness.debug.guest import DebuggedGuest
from harness.image.elf import load_kernel
from harness.machine.machine import Machine
from harness.machine.spec import MachineSpec
kernel = load_kernel(Path(sys.argv[1]))
with Machine(MachineSpec(kernel, 16 << 20)) as machine, DebuggedGuest(machine.boot()) as guest:
    debugger = guest.debugger
    print(debugger._gdb._mi.pid, flush=True)
    if sys.argv[2] == "kill":
        os.kill(debugger._gdb._mi.pid, signal.SIGSTOP)  # it would end when its input does
        os.kill(os.getpid(), signal.SIGKILL)
    debugger.run(1000)
"""


@pytest.mark.parametrize("how", ["kill", "interrupt"])
def test_gdb_ends_with_us(tmp_path: Path, how: str) -> None:
    kernel = kernels.assemble(tmp_path, kernels.SPIN)
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(kernel.path), how],
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    gdb = os.pidfd_open(int(process.stdout.readline()))
    try:
        if how == "interrupt":
            process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)

        assert select.select([gdb], [], [], 10)[0], "gdb outlives us"
    finally:
        os.close(gdb)
    assert list(temporary.iterdir()) == []
    if how == "interrupt":
        assert said.rstrip().endswith("KeyboardInterrupt")
