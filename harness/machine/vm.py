"""One QEMU with everything that is attached to it: RAM, control, console, debugger."""

from __future__ import annotations

import contextlib
import os
import re
import select
import socket
from collections.abc import Iterator, Sequence

from harness.machine.console import Console
from harness.machine.errors import MachineError, QemuFailed, SpecError
from harness.machine.guest_memory import GuestMemory
from harness.machine.layout import extents
from harness.machine.process import QemuProcess
from harness.machine.qemu import Descriptors, arguments
from harness.machine.qmp import Qmp
from harness.machine.registers import Registers, parse_registers
from harness.machine.runner import AttachedDebugger, QmpRunner, Runner
from harness.machine.spec import MachineSpec
from harness.ram.gdb_stub import GdbStub
from harness.ram.live import LiveRam

TRIPLE_FAULT = b"Triple fault"
"""What QEMU logs before the reset (QEMU 7.2, target/i386/tcg/excp_helper.c)."""

CPU_PROPERTY = re.compile(r"(?:-i386-cpu\.\S+: |(?=Property '\S+-i386-cpu\.))(.+)")
"""How QEMU 7.2 complains about a CPU model's feature or its value."""

STUB = "gdb"
"""The GDB stub's character device."""

PANICKED = "GUEST_PANICKED"
"""QEMU's event when the guest writes to the pvpanic device."""


class Vm:
    """A QEMU process that was started paused; used by whoever boots it."""

    def __init__(
        self,
        spec: MachineSpec,
        memory: GuestMemory,
        boot_arguments: Sequence[str],
        boot_descriptors: Sequence[int] = (),
    ) -> None:
        """Start QEMU; raise :class:`MachineError`. Takes ``memory`` over."""
        self.memory = memory
        self._debugger: AttachedDebugger | None = None
        self.moves: list[str] = []
        """``STOP`` and ``RESUME`` in the order in which they happened."""
        self.end: str | None = None
        """How the guest ended: ``PANICKED`` or a SHUTDOWN event's reason."""
        self.until_blanked: tuple[int, bytes] | None = None
        """Bytes at a physical address, which are others once the ROM has blanked the display."""
        with contextlib.ExitStack() as stack:
            stack.callback(memory.close)
            self.ram = LiveRam(memory.descriptor, extents(spec))
            stack.callback(self.ram.close)
            self._log = os.memfd_create("qemu-log")
            stack.callback(os.close, self._log)
            control, control_end = _pair(stack)
            serial, serial_end = _pair(stack)
            given = Descriptors(
                memory.descriptor, control_end.fileno(), serial_end.fileno(), self._log
            )
            self.process = QemuProcess(
                [*arguments(spec, given), *boot_arguments],
                [given.ram, given.qmp, given.serial, given.log, *boot_descriptors],
            )
            stack.callback(self.process.close)
            control_end.close()
            serial_end.close()
            self.console = Console(serial)
            self.qmp = self._connect(spec, control)
            stack.callback(self.qmp.close)
            self._runner = QmpRunner(self.qmp)
            self.poll = select.poll()
            """What has news: the console, QEMU and its end, and a debugger while there is one."""
            for source in (self.console.fileno(), self.qmp.fileno(), self.process.exit_descriptor):
                self.poll.register(source, select.POLLIN)
            # QEMU goes first: then no other part can wait for it.
            stack.callback(self.process.kill)
            self._stack = stack.pop_all()

    def _connect(self, spec: MachineSpec, control: socket.socket) -> Qmp:
        try:
            return Qmp(control)
        except QemuFailed:
            how = self.process.how_it_ended()
            if "CPU model" in how:
                raise SpecError(f"QEMU knows no CPU {spec.cpu!r}; try harness doctor or "
                                "qemu-system-i386 -cpu help") from None  # fmt: skip
            if reason := CPU_PROPERTY.search(how):
                raise SpecError(f"QEMU cannot make a CPU {spec.cpu!r}: {reason[1]}") from None
            raise QemuFailed(f"{how}\n  started as: {' '.join(self.process.arguments)}") from None

    def close(self) -> None:
        """End QEMU and give everything back; may be called again."""
        if self._debugger is not None:
            self._let_go().close()
        self._stack.close()

    @property
    def runner(self) -> Runner:
        """What resumes and pauses the CPU: a debugger while one is attached."""
        return self._debugger or self._runner

    @property
    def running(self) -> bool:
        """Whether the CPU was told to run; one whose guest has ended does not heed that."""
        return self.runner.running

    def pause(self) -> None:
        """Stop the CPU; costs nothing when that was the last thing done."""
        self.runner.pause()

    def run_state(self) -> str:
        """Ask QEMU for the machine's state: ``running``, ``debug`` …, a ``RunState`` of QMP's."""
        return str(self.qmp.execute("query-status")["status"])

    def resume(self) -> None:
        """Let the CPU run; one whose guest has ended stays as it is."""
        self.runner.resume()

    def resume_if_paused(self) -> None:
        """Let the CPU run unless it was told so before."""
        if not self.running:
            self.resume()

    def stopped(self) -> str | None:
        """Return why the debugger that is attached has stopped the CPU, None while it runs."""
        return None if self._debugger is None else self._debugger.stopped()

    def hand_over(self, debugger: AttachedDebugger) -> None:
        """Let a debugger be the one that resumes and pauses, until :meth:`detach`.

        QEMU has one GDB stub, and a debugger loses count when its target is let run by others.
        """
        self._debugger = debugger
        self.poll.register(debugger.fileno(), select.POLLIN)

    def detach(self) -> None:
        """End the debugger, if one is attached, with its breakpoints; a running CPU runs on."""
        if self._debugger is None:
            return
        debugger = self._let_go()
        self._runner.running = debugger.running
        debugger.close()
        if self.process.alive:
            ran = self._runner.running
            with self.stub() as stub:
                stub.stop_reason()  # also makes QEMU forget all breakpoints
            if ran:
                self.resume()

    def _let_go(self) -> AttachedDebugger:
        assert self._debugger is not None
        debugger, self._debugger = self._debugger, None
        self.poll.unregister(debugger.fileno())
        return debugger

    def read_news(self) -> None:
        """Take in what QEMU has told by itself."""
        for event in self.qmp.take_events():
            name = str(event["event"])
            data = event.get("data")
            if name in ("STOP", "RESUME"):
                self.moves.append(name)
            elif name == PANICKED:
                self.end = name
            elif name == "SHUTDOWN" and isinstance(data, dict) and data.get("guest"):
                self.end = str(data.get("reason"))

    def settle(self) -> None:
        """Forget stops and starts up to now, also those of which QEMU is yet to tell."""
        self.qmp.execute("query-status")
        self.read_news()
        self.moves.clear()

    def reset(self) -> None:
        """Reset the paused machine, which stays paused and keeps its RAM.

        Does not wait for it: QEMU obeys in order.
        """
        self.clear_log()
        self.read_news()
        self.moves.clear()
        self.end = None
        # With reboot=shutdown QEMU would take its own system_reset for a guest's, and stop.
        self.qmp.post("set-action", reboot="reset")
        self.qmp.post("system_reset")
        self.qmp.post("set-action", reboot="shutdown")
        self.qmp.send()

    def display_is_old(self) -> bool:
        """Return whether display memory, which outlives a reset, still holds an earlier boot's."""
        if self.until_blanked is not None:
            address, data = self.until_blanked
            if self.ram.read(address, len(data)) == data:
                return True
            self.until_blanked = None  # the kernel may write there what it likes
        return False

    def clear_log(self) -> None:
        """Forget what QEMU has logged; it goes on writing at its own position."""
        os.ftruncate(self._log, 0)

    def triple_faulted(self) -> bool:
        """Return whether the guest's last reset was a triple fault."""
        size = os.fstat(self._log).st_size
        start = os.lseek(self._log, 0, os.SEEK_DATA) if size else 0
        return TRIPLE_FAULT in os.pread(self._log, size - start, start)

    def registers(self) -> Registers:
        """Return the registers of the CPU, which should be paused."""
        return parse_registers(self.qmp.human("info registers"))

    def translate(self, virtual: int) -> int | None:
        """Return the physical address behind a virtual one as QEMU's own walk finds it."""
        found = re.search(r"gpa: (?:0x)?([0-9a-f]+)", self.qmp.human(f"gva2gpa 0x{virtual:x}"))
        return int(found[1], 16) if found else None

    def executed(self) -> int:
        """Return how many instructions the paused CPU has executed since the process started.

        Only of a machine that counts them; QEMU's ``query-replay`` tells it without a record, too.
        """
        return int(self.qmp.execute("query-replay")["icount"])

    @contextlib.contextmanager
    def stub(self) -> Iterator[GdbStub]:
        """Attach to QEMU's GDB stub; the machine is paused, and stays as it is at the end.

        The stub is started for the occasion, on a pair of sockets: no name, nothing to clean up.
        Raise :class:`MachineError` while a debugger has it.
        """
        if self._debugger is not None:
            raise MachineError("QEMU's GDB stub is taken: a debugger is attached; close() it first")
        self.pause()  # or the stub would tell of that stop, too, in between
        self._runner.running = True  # as far as anybody knows
        with contextlib.ExitStack() as stack:
            connection = self._start_stub(stack)
            try:
                with GdbStub(connection) as stub:
                    self.settle()
                    yield stub
            finally:
                with contextlib.suppress(MachineError):
                    self.pause()
                    self.qmp.human("gdbserver none")  # this removes the character device as well

    def _start_stub(self, stack: contextlib.ExitStack) -> socket.socket:
        """Let QEMU's GDB stub speak to a new socket; return our end of it."""
        ours, theirs = _pair(stack)
        self.qmp.add_connection(STUB, theirs.fileno())
        theirs.close()
        self.qmp.human(f"gdbserver chardev:{STUB}")
        return ours


def _pair(stack: contextlib.ExitStack) -> tuple[socket.socket, socket.socket]:
    """Return two connected sockets, closed with the stack at the latest."""
    ours, theirs = socket.socketpair()
    stack.callback(ours.close)
    stack.callback(theirs.close)
    return ours, theirs
