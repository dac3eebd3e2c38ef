"""A boot that is recorded with all that came in from outside, and replayed to the instruction.

QEMU's record/replay (QEMU manual, docs/system/replay.rst) counts instructions and logs when each
byte for the console came. The same machine, given that log, does the same again. That goes for the
direct path: there is no log of what a CD gave, and a boot through QEMU's own loader, recorded on a
busy host, ended its replay in six of twenty tries ("Missing character write event").
"""

from __future__ import annotations

import contextlib
import os
import select
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from harness.machine import boot_direct
from harness.machine.boot_firmware import run_to_entry
from harness.machine.ending import EndingKind
from harness.machine.errors import MachineTimeout, QemuFailed, SpecError
from harness.machine.guest import Guest
from harness.machine.limits import check_spec
from harness.machine.qemu import Extra, path_of
from harness.machine.spec import BootPath, MachineSpec

QUIT_TIMEOUT = 10.0
"""Seconds in which QEMU must have written the end of its log."""
REPLAY_SECONDS = 60.0
"""CPU seconds of QEMU's that a replay may take, several times what a recorded boot may."""
LOOK_SECONDS = 0.25
"""Seconds between looks at QEMU's clock."""
ECHO_SECONDS = 0.05
"""How long a kernel may take to echo what is typed; one that does not echo is typed to slowly."""


@dataclass(frozen=True)
class Recording:
    """A boot that can be replayed."""

    spec: MachineSpec
    log: bytes = field(repr=False)
    """QEMU's own."""
    length: int
    """Instructions from the kernel's first one to the end of the record."""


class CountedGuest(Guest):
    """A guest that counts instructions from its kernel's first one."""

    def __init__(self, guest: Guest, first: int) -> None:
        self.__dict__ = guest.__dict__
        self.first = first
        """Instructions that were executed before the kernel's first."""

    def executed(self) -> int:
        """Return how many instructions of the kernel's were executed; pause the machine first."""
        return self._vm.executed() - self.first


class Recorder:
    """A boot that is being recorded; a context manager that owns its QEMU process."""

    def __init__(self, spec: MachineSpec, extra: Extra | None = None) -> None:
        """Start the machine; raise :class:`SpecError` for a boot through firmware."""
        check_recordable(spec)
        self._log = os.memfd_create("record")
        self._stack = contextlib.ExitStack()
        self._stack.callback(os.close, self._log)
        try:
            self.guest = self._stack.enter_context(_started(spec, "record", self._log, extra))
            self.guest.console.echo_seconds = ECHO_SECONDS
        except BaseException:
            self._stack.close()
            raise

    def finish(self) -> Recording:
        """End the guest and return the record; raise :class:`QemuFailed` when QEMU is gone."""
        vm = self.guest._vm
        vm.pause()
        length = self.guest.executed()
        vm.qmp.post("quit")
        vm.qmp.send()
        select.select([vm.process.exit_descriptor], [], [], QUIT_TIMEOUT)
        if vm.process.alive:
            raise QemuFailed(f"QEMU did not finish its record within {QUIT_TIMEOUT:g} s")
        log = os.pread(self._log, os.fstat(self._log).st_size, 0)
        return Recording(self.guest.spec, log, length)

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


@contextlib.contextmanager
def replay(recording: Recording, extra: Extra | None = None) -> Iterator[CountedGuest]:
    """Boot what was recorded once more, in a new process; it is paused at the kernel's entry.

    Nothing that is typed reaches it: its input is in the record. Let it run with
    :func:`run_to`, which reads what it prints; one whose console nobody reads stands still.
    """
    descriptor = os.memfd_create("record")
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(recording.log)
        with _started(recording.spec, "replay", descriptor, extra) as guest:
            break_at(guest, recording.length)
            yield guest
    finally:
        os.close(descriptor)


def break_at(guest: CountedGuest, count: int) -> None:
    """Let a replayed guest stop once it has executed ``count`` instructions; once only."""
    guest._vm.qmp.execute("replay-break", icount=guest.first + count)


def run_to(guest: CountedGuest, count: int) -> None:
    """Let a replayed guest run until it has executed ``count`` instructions, and pause it.

    Raise :class:`QemuFailed` when QEMU ends, :class:`MachineTimeout` when it does not come there.
    """
    vm = guest._vm
    vm.settle()
    break_at(guest, count)
    deadline = vm.process.cpu_seconds() + REPLAY_SECONDS
    vm.resume()
    while vm.moves[-1:] != ["STOP"]:
        _take_in(guest)
        if vm.process.cpu_seconds() > deadline:
            raise MachineTimeout(f"the replay came to no end in {REPLAY_SECONDS:g} s of CPU time")
    vm.pause()
    executed = guest.executed()
    if executed != count:
        raise QemuFailed(f"the replay stands at instruction {executed}, not {count}")


def _take_in(guest: CountedGuest) -> None:
    """Wait a while for what the guest or QEMU says, and read it; the console must not fill up."""
    vm = guest._vm
    sources = (vm.console.fileno(), vm.qmp.fileno(), vm.process.exit_descriptor)
    ready, _, _ = select.select(sources, [], [], LOOK_SECONDS)
    if vm.process.exit_descriptor in ready:
        raise QemuFailed(vm.process.how_it_ended())
    vm.console.receive()
    vm.qmp.read()
    vm.read_news()


def check_recordable(spec: MachineSpec) -> None:
    """Raise :class:`SpecError` for a machine whose boot cannot be recorded."""
    check_spec(spec)
    if spec.boot is not BootPath.DIRECT:
        raise SpecError("a boot through firmware cannot be recorded: take --boot direct")


@contextlib.contextmanager
def _started(spec: MachineSpec, mode: str, log: int, extra: Extra | None) -> Iterator[CountedGuest]:
    extra = extra or Extra()
    # Without sleep=off: with it, a recording QEMU never looks at its console.
    counting = f"shift=0,rr={mode},rrfile={path_of(log)}"
    extra = Extra(("-icount", counting, *extra.arguments), (log, *extra.descriptors))
    plain = replace(spec, icount=False)  # the count is of our kind
    prepared = boot_direct.prepare(plain)
    vm = boot_direct.start_vm(plain, extra)
    try:
        boot_direct.load(vm, prepared, again=False)
        ending, _ = run_to_entry(vm, spec)
        if ending is not None and ending.kind is EndingKind.QEMU_DIED:
            raise QemuFailed(ending.message)
        guest = Guest(spec, vm, prepared.information(vm.ram), ending)
        yield CountedGuest(guest, vm.executed())
    finally:
        vm.close()
