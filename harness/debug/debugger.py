"""gdb by script: breakpoints, steps, C values and backtraces of a guest."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from harness.debug.attached import AttachedGdb
from harness.debug.breakpoints import Access, Breakpoint, Watchpoint, breakpoint_of
from harness.debug.cpu_mode import CpuMode
from harness.debug.frames import (
    MOST_FRAMES,
    Frame,
    Instruction,
    Thread,
    frame_of,
    instruction_of,
    thread_of,
)
from harness.debug.mi import GdbError, GdbRefused, quoted
from harness.debug.placement import virtual_address
from harness.debug.stops import (
    BreakpointHit,
    FunctionFinished,
    GuestEnd,
    Interrupted,
    SignalReceived,
    StepDone,
    Stop,
    WatchpointHit,
)
from harness.debug.values import Pointer, Unreadable, Value, shown, value_of
from harness.machine.ending import Ending, EndingKind
from harness.machine.errors import GuestEnded, MachineTimeout, QemuFailed
from harness.machine.guest import BOOT_TIMEOUT, Guest
from harness.machine.vm import Vm
from harness.machine.watch import INTERVAL, Clock, Watch

ELEMENTS = 256
"""Elements of arrays in one value, unless told."""
FRAME_ELEMENTS = 16
"""The same in each argument and local variable of a backtrace."""
_WRITE_AT_ONCE = 1024
_ACCESSES = {"wpt": Access.WRITE, "hw-rwpt": Access.READ, "hw-awpt": Access.ANY}
"""What MI calls each kind of watchpoint."""
_OPTIONS = {Access.WRITE: "", Access.READ: "-r ", Access.ANY: "-a "}


class StopTimeout(MachineTimeout):
    """The guest did not stop in time; it runs on."""


@dataclass
class _Watched:
    """A watchpoint, gdb's variable that points at what it watches, and the value there."""

    watchpoint: Watchpoint
    variable: str
    value: Value


class Debugger:
    """gdb, attached to one guest.

    Looking pauses a running guest and lets it go on, which gives up a step that is under way.
    Errors: :class:`GdbRefused` for what gdb cannot do, :class:`GuestEnded` when QEMU is gone,
    :class:`harness.debug.mi.GdbDied` when gdb is.
    """

    def __init__(self, guest: Guest, vm: Vm, watch: Watch) -> None:
        self._guest, self._vm, self._watch = guest, vm, watch
        self._gdb = AttachedGdb(guest, vm)
        self._watched: dict[int, _Watched] = {}
        self._registers: list[str] = []

    @property
    def closed(self) -> bool:
        """Whether it was let go of, or has ended."""
        return self._gdb.closed

    def close(self) -> None:
        """Let go of the guest, without its breakpoints; it runs on if it ran."""
        if not self.closed:
            self._vm.detach()

    # Breakpoints

    def break_at(
        self,
        where: str | int,
        *,
        condition: str | None = None,
        temporary: bool = False,
        hardware: bool = False,
    ) -> Breakpoint:
        """Stop before ``where``: a function, ``FILE:LINE``, ``*EXPRESSION``, or a linear address.

        Before paging is on, a symbol means where its code is now as well as where it will be. A
        ``condition`` is a C expression; each time that it is false takes about a millisecond. With
        QEMU ``hardware`` makes no difference to the guest: neither kind changes its memory.
        """
        options = "-t " * temporary + "-h " * hardware
        options += f"-c {quoted(condition)} " if condition is not None else ""
        place = quoted(_location(where))
        with self._looking():
            record = self._gdb.command(f"-break-insert {options}{place}")["bkpt"]
            self._gdb.disable_strays(record)
        return breakpoint_of(record)

    def watch(self, expression: str, access: Access = Access.WRITE) -> Watchpoint:
        """Stop after a use of the object that a C expression names now, such as ``zones[0].free``.

        It is watched by its virtual address. Before paging is on that is where the kernel is
        linked, so that it is met as soon as the kernel runs there.
        """
        with self._looking() as mode:
            place = self.evaluate(f"&({expression})")
            if not isinstance(place, Pointer):
                raise GdbRefused(expression, f"it is at no address but {shown(place)}")
            address = place.address
            if not mode.paging:
                address = virtual_address(self._guest.kernel, address)
            variable = f"$harness_watched_{address:x}_{access.value}"
            self._gdb.console(f"set {variable} = &({expression})")
            self._gdb.console(f"set {variable} = (__typeof__({variable})) {address:#x}")
            option = _OPTIONS[access]
            answer = self._gdb.command(f"-break-watch {option}*{variable}")
            number = int(next(iter(answer.values()))["number"])
            watchpoint = Watchpoint(number, expression, address, access)
            self._watched[number] = _Watched(watchpoint, variable, self._seen(variable))
        return watchpoint

    def breakpoints(self) -> tuple[Breakpoint, ...]:
        """Return the breakpoints that there are now, without watchpoints."""
        with self._looking():
            records = self._gdb.breakpoint_records()
        return tuple(breakpoint_of(one) for one in records if "breakpoint" in one["type"])

    def delete(self, point: Breakpoint | Watchpoint) -> None:
        """Take a breakpoint or watchpoint back; a temporary one may be gone already."""
        with self._looking():
            if any(int(one["number"]) == point.number for one in self._gdb.breakpoint_records()):
                self._gdb.command(f"-break-delete {point.number}")
        self._watched.pop(point.number, None)

    def enable(self, point: Breakpoint | Watchpoint, enabled: bool = True) -> None:
        """Let a breakpoint or watchpoint count, or for a while not."""
        with self._looking():
            self._gdb.command(f"-break-{'enable' if enabled else 'disable'} {point.number}")

    # Running

    @property
    def running(self) -> bool:
        """Whether the guest runs."""
        return self._gdb.running

    def resume(self) -> None:
        """Let the guest run, and do not wait; :meth:`wait` does.

        One that has met a breakpoint since stays there until somebody was told, here or by
        :class:`harness.machine.errors.GuestStopped`: no stop is lost.
        """
        with self._attached():
            self._require_life()
            self._gdb.resume()

    def run(self, timeout: float = BOOT_TIMEOUT) -> Stop:
        """Let the guest run (on) until it stops, and say why it did.

        ``timeout`` is in seconds of CPU time that QEMU uses, on the wall clock ten times as much;
        raise :class:`StopTimeout`. A guest that ends has stopped, too: :class:`GuestEnd`.
        """
        self.resume()
        return self.wait(timeout)

    def wait(self, timeout: float = BOOT_TIMEOUT) -> Stop:
        """Return why the guest stops, or has stopped since it was let run; raises like run()."""
        if not self._gdb.running and self._gdb.stop_record is None and not self.closed:
            raise GdbError("the guest is paused, so it cannot stop: resume() it first")
        with self._attached():
            return self._next_stop(Clock(self._vm, timeout))

    def _next_stop(self, clock: Clock) -> Stop:
        while True:
            if self._gdb.stopped():
                return self._stop(self._gdb.stop_record or {})
            if ending := self._guest.look():
                return self._end(ending)
            if exhausted := clock.exhausted():
                raise StopTimeout(self._unmet(exhausted))
            self._watch.wait(INTERVAL)

    def interrupt(self) -> Stop:
        """Stop the guest now; one that has stopped stays where it is."""
        with self._attached():
            self._gdb.pause()
            return Interrupted(self.frame())

    def step(self, count: int = 1, timeout: float = BOOT_TIMEOUT) -> Stop:
        """Run to the next source line, into functions that are called; raises like run()."""
        return self._go(f"-exec-step {count}", timeout)

    def next(self, count: int = 1, timeout: float = BOOT_TIMEOUT) -> Stop:
        """Run to the next source line of this function; raises like run()."""
        return self._go(f"-exec-next {count}", timeout)

    def stepi(self, count: int = 1, timeout: float = BOOT_TIMEOUT) -> Stop:
        """Execute instructions, without interrupts; raises like run()."""
        return self._go(f"-exec-step-instruction {count}", timeout)

    def nexti(self, count: int = 1, timeout: float = BOOT_TIMEOUT) -> Stop:
        """Execute instructions, a call as one; raises like run()."""
        return self._go(f"-exec-next-instruction {count}", timeout)

    def finish(self, timeout: float = BOOT_TIMEOUT) -> Stop:
        """Run until this function returns, and say what; raises like run()."""
        return self._go("-exec-finish", timeout)

    def until(self, where: str | int, timeout: float = BOOT_TIMEOUT) -> Stop:
        """Run to a place in this function, or until it returns; raises like run()."""
        return self._go(f"-exec-until {quoted(_location(where))}", timeout)

    # Looking

    def evaluate(self, expression: str, frame: int = 0, elements: int = ELEMENTS) -> Value:
        """Return the value of a C expression in a frame, 0 for the innermost.

        Integers and characters are int, ``_Bool`` bool, enumerations :class:`Enumerator`, pointers
        :class:`Pointer`, structs and unions :class:`Struct`, arrays :class:`Array`, of characters
        and bytes :class:`Bytes`. Of arrays at most ``elements`` are read in all, and no pointer is
        followed. Assignments are made; functions are not called. Raise :class:`GdbRefused`, also
        when there is no memory; a part that cannot be read is :class:`Unreadable`.
        """
        return value_of(self._ask("evaluate", expression, frame, elements))

    def backtrace(self, limit: int = MOST_FRAMES, with_locals: bool = False) -> tuple[Frame, ...]:
        """Return who called whom with what, innermost first."""
        with self._looking() as mode:
            if not mode.flat:  # gdb would take the stack from another place as well
                return (Frame(0, mode.instruction),)
            frames = self._ask("frames", limit, FRAME_ELEMENTS, int(with_locals))
        return tuple(frame_of(one) for one in frames)

    def frame(self) -> Frame:
        """Return the innermost frame, with its arguments."""
        return self.backtrace(1)[0]

    def registers(self) -> dict[str, int]:
        """Return the registers that fit 64 bits by gdb's names: ``eax`` … ``cr4``."""
        with self._looking():
            if not self._registers:
                self._registers = self._gdb.command("-data-list-register-names")["register-names"]
            values = self._gdb.command("-data-list-register-values x")["register-values"]
        named = ((self._registers[int(one["number"])], one["value"]) for one in values)
        return {name: int(value, 16) for name, value in named if value.startswith("0x")}

    def disassemble(self, where: str | int | None = None, count: int = 10) -> list[Instruction]:
        """Return instructions from a function or linear address on, None for the next one's.

        16-bit code is read as such while the CPU executes some.
        """
        with self._looking() as mode:
            start = mode.instruction if where is None else where
            found = self._ask(
                "disassemble", start if isinstance(start, int) else f"&({start})", count
            )
        return [instruction_of(one) for one in found]

    def threads(self) -> tuple[Thread, ...]:
        """Return the CPUs as gdb sees them: one."""
        with self._looking():
            found = self._gdb.command("-thread-info")["threads"]
        return tuple(thread_of(one) for one in found)

    def read_memory(self, address: int, length: int) -> bytes:
        """Return ``length`` bytes from a linear address; raise :class:`GdbRefused`."""
        with self._looking():
            return self._gdb.read_memory(address, length)

    def write_memory(self, address: int, data: bytes) -> None:
        """Write to a linear address; raise :class:`GdbRefused`."""
        with self._looking():
            for start in range(0, len(data), _WRITE_AT_ONCE):
                piece = data[start : start + _WRITE_AT_ONCE].hex()
                self._gdb.command(f"-data-write-memory-bytes {address + start:#x} {piece}")

    def mode(self) -> CpuMode:
        """Return how the CPU reads addresses and instructions now."""
        with self._looking() as mode:
            return mode

    def command(self, text: str) -> dict[str, Any]:
        """Run a command of gdb's machine interface, and return its answer as pygdbmi parses it."""
        with self._looking():
            return self._gdb.command(text)

    def console(self, command: str) -> str:
        """Run a command as a person types it to gdb, and return what it prints."""
        with self._looking():
            return self._gdb.console(command)

    @contextlib.contextmanager
    def _looking(self) -> Iterator[CpuMode]:
        """Keep the guest stopped for a while, with gdb told of the CPU's mode."""
        with self._attached(), self._guest.paused():
            yield self._gdb.adapt()

    @contextlib.contextmanager
    def _attached(self) -> Iterator[None]:
        """Say so when gdb has been let go of, or when QEMU ends meanwhile."""
        if self.closed:
            raise GdbError(
                "this debugger has let go of its guest, or gdb has ended; take a new one"
            )
        try:
            yield
            return
        except QemuFailed:
            if not self._watch.gone():
                raise
        except GuestEnded as error:
            if error.ending.kind is EndingKind.QEMU_DIED:
                self._vm.detach()
            raise
        self._vm.detach()
        ending = self._watch.dead()
        assert ending is not None
        raise GuestEnded(ending)

    def _require_life(self) -> None:
        if ending := self._guest.look():
            raise GuestEnded(ending)

    def _ask(self, what: str, *arguments: object) -> Any:
        """Return the answer of gdb's side (``gdb_side/values.py``)."""
        words = " ".join(quoted(str(one)) for one in arguments)
        with self._looking():
            try:
                return json.loads(self._gdb.command(f"-harness-{what} {words}")["json"])
            except GdbRefused as error:
                raise GdbRefused(str(arguments[0]), error.reason) from None

    def _go(self, command: str, timeout: float) -> Stop:
        with self._attached():
            self._require_life()
            if self._gdb.running:
                raise GdbError("the guest runs: interrupt() it first")
            self._gdb.go(command)
            return self.wait(timeout)

    def _end(self, ending: Ending) -> Stop:
        if ending.kind is EndingKind.QEMU_DIED:
            raise GuestEnded(ending)
        return GuestEnd(self.frame(), ending)

    def _unmet(self, exhausted: str) -> str:
        points = ", ".join(str(one) for one in self.breakpoints()) or "no breakpoint is set"
        points = ", ".join([points, *(str(one.watchpoint) for one in self._watched.values())])
        return (
            f"the guest did not stop within {exhausted} ({points}); it runs on, now in "
            f"{self.frame()}\n{self._vm.console.tail()}".rstrip()
        )

    def _stop(self, record: dict[str, Any]) -> Stop:
        """Return what a ``*stopped`` record says ("Debugging with GDB", section 27.7.2)."""
        frame, reason = self.frame(), record.get("reason", "")
        reason = reason[0] if isinstance(reason, list) else reason
        if reason == "breakpoint-hit":
            return BreakpointHit(frame, int(record["bkptno"]))
        if reason.endswith("watchpoint-trigger"):
            return self._watchpoint_hit(frame, record)
        if reason in ("end-stepping-range", "location-reached"):
            return StepDone(frame)
        if reason == "function-finished":
            variable = record.get("gdb-result-var")
            return FunctionFinished(frame, self.evaluate(variable) if variable else None)
        return self._signal(frame, str(record.get("signal-name", "no signal")))

    def _signal(self, frame: Frame, name: str) -> Stop:
        if name == "SIGINT":
            return Interrupted(frame)
        # Where gdb takes EIP for the address it does not know its own breakpoints.
        mode = self.mode()
        if not mode.flat and (number := self._gdb.breakpoint_at(mode.instruction)) is not None:
            return BreakpointHit(frame, number)
        return SignalReceived(frame, name)

    def _watchpoint_hit(self, frame: Frame, record: dict[str, Any]) -> Stop:
        kind = next(key for key in _ACCESSES if key in record)
        number, expression = int(record[kind]["number"]), str(record[kind]["exp"])
        watched = self._watched.get(number)
        if watched is None:  # made with gdb's own command: all there is are gdb's words
            told = record.get("value", {})
            old, new = told.get("old"), told.get("new", told.get("value"))
            return WatchpointHit(frame, number, expression, _ACCESSES[kind], old, new)
        old, watched.value = watched.value, self._seen(watched.variable)
        point = watched.watchpoint
        return WatchpointHit(frame, number, point.expression, point.access, old, watched.value)

    def _seen(self, variable: str) -> Value:
        try:
            return self.evaluate(f"*{variable}")
        except GdbRefused as error:  # before paging, where the kernel will be
            return Unreadable(error.reason)


def _location(where: str | int) -> str:
    return f"*{where:#x}" if isinstance(where, int) else where
