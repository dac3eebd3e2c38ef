"""A gdb that is attached to a guest, and has its CPU in hand.

QEMU's stub tells gdb of a stop whoever caused it, but never that the CPU runs on. So while gdb is
attached all of the harness lets the CPU run through it, and nobody by QEMU's control protocol.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.debug.cpu_mode import CpuMode, parse_cpu_mode
from harness.debug.mi import GdbDied, GdbError, GdbTimeout, MiSession, Record
from harness.debug.placement import is_code, offsets, placing_commands
from harness.machine.errors import GuestEnded
from harness.machine.gdb_socket import gdb_socket
from harness.machine.guest import Guest
from harness.machine.qemu import path_of
from harness.machine.vm import Vm

GDB_SIDE = Path(__file__).parent / "gdb_side"
SETTINGS = (
    *("confirm off", "pagination off", "width 0", "style enabled off"),
    *("mi-async on", "remotetimeout 8", "breakpoint pending off"),
    # Looking at a guest must not run it, nor read without end.
    *("may-call-functions off", "max-value-size 1048576", "print elements 200"),
    *("backtrace past-main on", "backtrace limit 256", "print frame-arguments none"),
)
PAUSE_RETRY = 0.1
"""Seconds until a guest is told again to stop, which gdb had let run on at the same moment."""
PAUSE_TIMEOUT = 10.0
STEP_TIMEOUT = 5.0
"""Seconds for a single instruction."""
LAST_MOMENT = 1.0
"""Seconds that a process may take to be gone once its connections are."""
_NO_RUN = ("shutdown", "internal-error")
"""States of QEMU's (``RunState``) that only a reset ends."""


class AttachedGdb:
    """A gdb process with the kernel's symbols, attached to QEMU's stub.

    It is the :class:`harness.machine.runner.AttachedDebugger` of its machine.
    """

    def __init__(self, guest: Guest, vm: Vm) -> None:
        """Start gdb and attach it; the guest then runs or not as it did before."""
        self._guest, self._vm = guest, vm
        self._mode: CpuMode | None = None
        self._placed: bool | None = None
        self._code_16 = False
        self._told: Record | None = None
        with guest.paused():
            with contextlib.ExitStack() as stack:
                self._image = _file(stack, "kernel", guest.kernel.contents)
                self._target = _file(stack, "target", b"")
                socket = stack.enter_context(gdb_socket(guest))
                self._mi = stack.enter_context(MiSession(descriptors=(self._image, self._target)))
                self._prepare(socket)
                self._stack = stack.pop_all()
            vm.hand_over(self)

    def _prepare(self, socket: Path) -> None:
        for setting in SETTINGS:
            self._mi.console(f"set {setting}")
        self._mi.console(f"source {GDB_SIDE / 'values.py'}")
        self._mi.attach(socket)
        # Connected: the name is of no use any more, and a kill would leave it behind.
        shutil.rmtree(socket.parent, ignore_errors=True)
        self.adapt()

    @property
    def closed(self) -> bool:
        """Whether it has let go of the guest."""
        return self._vm.runner is not self

    @property
    def running(self) -> bool:
        """Whether the CPU runs as far as gdb knows, which is told of each stop."""
        with contextlib.suppress(GdbDied):
            self._mi.take_in()
        return self._mi.running

    @property
    def stop_record(self) -> Record | None:
        """How the CPU stopped, since it was let run last."""
        return self._mi.stop

    def fileno(self) -> int:
        """Return the descriptor that is readable when gdb has said something."""
        return self._mi.fileno()

    def command(self, text: str) -> dict[str, Any]:
        """Run one MI command; raise :class:`GdbError`, or GuestEnded when QEMU is gone."""
        with self._honest():
            return self._mi.command(text)

    def console(self, text: str) -> str:
        """Run one command of gdb's own language and return what it prints."""
        with self._honest():
            return self._mi.console(text)

    def read_memory(self, address: int, length: int) -> bytes:
        """Return bytes from a linear address."""
        with self._honest():
            return self._mi.read_memory(address, length)

    def resume(self) -> None:
        """Let the CPU run; one whose guest has ended stays as it is."""
        self.go("-exec-continue")

    def go(self, command: str) -> None:
        """Let the CPU run by an MI command, unless it has stopped and nobody was told so far."""
        if (
            self.running
            or self._untold
            or self._vm.qmp.execute("query-status")["status"] in _NO_RUN
        ):
            return
        with self._honest():
            if command == "-exec-continue":
                self._leave_hidden_breakpoint()
            self.adapt()
            self._mi.command(command)
            self._mode = None

    @property
    def _untold(self) -> bool:
        """Whether the CPU has stopped by itself, which :meth:`stopped` has yet to tell.

        A breakpoint may be met just before somebody looks, or lets a guest run that is running.
        """
        stop = self._mi.stop
        return stop is not None and stop is not self._told and not _paused_by_us(stop)

    def pause(self) -> None:
        """Stop the CPU and wait until gdb knows."""
        deadline = time.monotonic() + PAUSE_TIMEOUT
        with self._honest():
            while self.running:
                # More than once: at a breakpoint whose condition is false gdb lets it run on.
                self._vm.qmp.execute("stop")
                self._mi.wait(PAUSE_RETRY)
                if time.monotonic() > deadline:
                    raise GdbTimeout(f"gdb did not see the guest stop within {PAUSE_TIMEOUT:g} s")

    def stopped(self) -> str | None:
        """Return why gdb has stopped the CPU, None while it runs or when the guest has ended."""
        with self._honest():
            self._mi.take_in()
        record = self._mi.stop
        if record is None or self._mi.running:
            return None
        if "bkptno" not in record:
            # Its end stops a guest as well, and QEMU tells of that in another place.
            self._vm.qmp.execute("query-status")
            self._vm.read_news()
            if self._vm.end:
                return None
        self._told = record
        return _reason(record)

    def adapt(self) -> CpuMode:
        """Tell gdb how the stopped CPU reads addresses and instructions; return that."""
        if self._mode is None:
            mode = parse_cpu_mode(self._vm.qmp.human("info registers"))
            self._place_symbols(mode.paging)
            self._choose_architecture(mode.code_16)
            self._mode = mode
        return self._mode

    def _place_symbols(self, paging: bool) -> None:
        kernel = self._guest.kernel
        moves = bool(offsets(kernel))
        if self._placed is None or (moves and paging != self._placed):
            for command in placing_commands(kernel, path_of(self._image), paging):
                self._mi.console(command)
            self._placed = paging
            for record in self.breakpoint_records():
                self.disable_strays(record)

    def breakpoint_records(self) -> list[Record]:
        """Return gdb's table of breakpoints and watchpoints."""
        table = self.command("-break-list")["BreakpointTable"]["body"]
        return list(table)

    def disable_strays(self, record: Record) -> None:
        """Take back the locations of a breakpoint at which there is no code of the kernel's.

        All sections are moved alike while paging is off, also one that is linked where it is.
        """
        for place in record.get("locations", ()):
            if not is_code(self._guest.kernel, int(place["addr"], 16)):
                self._mi.command(f"-break-disable {place['number']}")
                place["enabled"] = "n"

    def _choose_architecture(self, code_16: bool) -> None:
        """Let gdb read 16-bit code as such, or 32-bit code again.

        ``set architecture i8086`` has no effect on a target that says what it is, as QEMU's does.
        """
        if code_16 == self._code_16:
            return
        if code_16 and not os.fstat(self._target).st_size:
            said = self._mi.console("maintenance print xml-tdesc")
            changed = said.replace("<architecture>i386<", "<architecture>i8086<")
            os.pwrite(self._target, changed.encode(), 0)
        self._mi.console(
            f"set tdesc filename {path_of(self._target)}" if code_16 else "unset tdesc filename"
        )
        self._code_16 = code_16

    def _leave_hidden_breakpoint(self) -> None:
        """Step off a breakpoint that gdb does not know the CPU to be at.

        gdb takes EIP for the address, which it is not where the code segment has a base.
        """
        mode = self.adapt()
        if mode.flat or self.breakpoint_at(mode.instruction) is None:
            return
        self._mi.command("-exec-step-instruction")
        self._mode = None
        deadline = time.monotonic() + STEP_TIMEOUT
        while self.running:
            self._mi.wait(STEP_TIMEOUT)
            if time.monotonic() > deadline:
                raise GdbTimeout(f"one instruction was not done within {STEP_TIMEOUT:g} s")

    def breakpoint_at(self, address: int) -> int | None:
        """Return the number of an enabled breakpoint at a linear address."""
        for record in self.breakpoint_records():
            places = record.get("locations") or [record]
            if any(place.get("addr") == f"{address:#010x}" for place in places):
                return int(record["number"])
        return None

    @contextlib.contextmanager
    def _honest(self) -> Iterator[None]:
        """Say so when it is gdb or QEMU that has ended, and let go of the guest then."""
        try:
            yield
        except GdbDied:
            self._vm.detach()
            raise
        except GdbError as error:
            gone = "onnection" in str(error) or "communication error" in str(error)
            select.select([self._vm.process.exit_descriptor], [], [], LAST_MOMENT if gone else 0)
            if self._vm.process.alive:
                raise
            self._vm.detach()
            ending = self._guest.look()
            assert ending is not None
            raise GuestEnded(ending) from None

    def close(self) -> None:
        """End gdb; the CPU stays as it is. For the machine: see :meth:`Vm.detach`."""
        self._stack.close()


def _paused_by_us(record: Record) -> bool:
    return record.get("signal-name") == "SIGINT"


def _reason(record: Record) -> str:
    """Return in a few words why gdb says that the guest has stopped."""
    frame = record.get("frame") or {}
    place = f"in {frame['func']}" if "func" in frame else f"at {frame.get('addr', '?')}"
    if "bkptno" in record:
        return f"the debugger stopped the guest at breakpoint {record['bkptno']} {place}"
    why = record.get("signal-name") or record.get("reason") or "no reason given"
    return f"the debugger stopped the guest {place} ({why})"


def _file(stack: contextlib.ExitStack, name: str, contents: bytes) -> int:
    """Return a file without a name, closed with the stack."""
    descriptor = os.memfd_create(name)
    stack.callback(os.close, descriptor)
    view = memoryview(contents)
    while view:
        view = view[os.write(descriptor, view) :]
    return descriptor
