"""The guest that a person debugs: booted, watched while gdb has it, and booted again."""

from __future__ import annotations

import contextlib
import select
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Self

from harness.check.observation import NotToBeSeen, Observation
from harness.debug.first_function import stop_at_first_c_function
from harness.debug.heard import Heard
from harness.debug.loop import Loop
from harness.debug.marks import Marks
from harness.debug.records import Records
from harness.decode.decode import decode
from harness.decode.state import MemoryState
from harness.image.errors import DescriptionError, UnknownName
from harness.image.kernel_image import KernelImage
from harness.machine.ending import Ending
from harness.machine.errors import GuestEnded, MachineError, QemuFailed
from harness.machine.gdb_socket import gdb_socket
from harness.machine.guest import Guest
from harness.machine.machine import Machine
from harness.machine.recording import (
    CountedGuest,
    Recorder,
    Recording,
    break_at,
    replay,
    run_to,
)
from harness.machine.spec import MachineSpec

Choose = Callable[[Sequence[str]], MachineSpec]
"""Returns the machine that flags mean, in addition to those of the command line."""

NOT_READY = (
    "The kernel has not said yet that it is ready: what it has still to build cannot add up."
)
END_OF_RECORD = "This is the end of what was recorded: 'mm back' goes back from here."

LONGEST_LINE = 4096
"""Characters that can be typed at once."""


@dataclass(frozen=True)
class Stop:
    """What a person should know when gdb has the prompt again."""

    printed: str
    """By the kernel meanwhile."""
    ended: str
    """How the guest has ended, in words, if it did since the last stop."""
    over: bool
    """Whether it cannot run any more."""
    note: str = ""
    """What else is to be told, in a sentence."""


class Session:
    """One guest at a time, with a path at which gdb can attach to it; a context manager."""

    def __init__(
        self, loop: Loop, choose: Choose, where: str | None = None, record: bool = False
    ) -> None:
        """``where`` is the function to stop at; None: the first C function that is entered.

        With ``record`` one can go back in a guest's life: see :meth:`go_to`.
        """
        self._loop = loop
        self._choose = choose
        self._where = where
        self._record = record
        self._recorder: Recorder | None = None
        self._recording: Recording | None = None
        self._stack = contextlib.ExitStack()
        self._guest: Guest | None = None
        self.ended: Ending | None = None
        self.heard = Heard()
        self.marks = Marks()
        self.remote = Path()
        """Where the guest's GDB stub listens."""

    @property
    def guest(self) -> Guest:
        """The guest of the last boot; raise :class:`NotToBeSeen` when that failed."""
        if self._guest is None:
            raise NotToBeSeen("there is no machine: 'mm reboot' boots one")
        return self._guest

    def boot(self, flags: Sequence[str] = ()) -> str:
        """End the last machine, boot the one that the flags mean, and stop it where asked.

        Return what is to be told of that. Raises like :class:`Machine`, and what the choice of the
        machine raises; the last machine then stays.
        """
        spec = self._choose(flags)
        self._check_where(spec.kernel)
        machine = Recorder(spec) if self._record else Machine(spec)
        self.close()
        self._recording = None
        guest = self._started(machine)
        self.heard, self.marks, self.ended = Heard(spec.kernel.description.console), Marks(), None
        guest.console.echo = self.heard.add
        said = self._stop(guest)
        self._attend(guest)
        return said

    def _started(self, machine: Machine | Recorder) -> Guest:
        self._stack.enter_context(machine)
        if isinstance(machine, Machine):
            return machine.boot()
        self._recorder = machine
        return machine.guest

    def _attend(self, guest: Guest) -> None:
        """Let gdb attach to a guest, and follow what it says."""
        self.remote = self._stack.enter_context(gdb_socket(guest))
        for descriptor in guest.news:
            self._loop.add(descriptor, partial(self._news, descriptor))
            self._stack.callback(self._loop.remove, descriptor)
        self._guest = guest

    @property
    def is_recorded(self) -> bool:
        """Whether the guest is being recorded, or replayed."""
        return isinstance(self._guest, CountedGuest)

    def past(self) -> tuple[Recording, int]:
        """Return the record of the stopped guest, and how many instructions it has executed.

        A guest that is still being recorded ends with that: call :meth:`go_to` next. Raise
        :class:`NotToBeSeen` for one that is not recorded.
        """
        self._require_stopped()
        guest = self.guest
        if not isinstance(guest, CountedGuest):
            raise NotToBeSeen("this guest is not recorded: start with 'harness gdb --record'")
        count = guest.executed()
        if self._recorder is not None:
            self._recording, self._recorder = self._recorder.finish(), None
        assert self._recording is not None
        return self._recording, count

    def go_to(self, recording: Recording, count: int) -> None:
        """Replay what was recorded, in a new process, until so many instructions are executed.

        There the guest is stopped; from there it goes on as it did, up to the end of the record.
        """
        if not 0 <= count <= recording.length:
            raise NotToBeSeen(f"the record has the instructions from 0 to {recording.length}")
        self.close()
        self._recording = recording
        guest = self._stack.enter_context(replay(recording))
        self.heard, self.ended = Heard(recording.spec.kernel.description.console), None
        guest.console.echo = self.heard.add
        if count:
            run_to(guest, count)
        break_at(guest, recording.length)
        self.heard.take()
        self._attend(guest)

    def _check_where(self, kernel: KernelImage) -> None:
        try:
            if self._where is not None:
                kernel.symbol(self._where)
        except UnknownName as error:
            raise NotToBeSeen(f"cannot stop before {self._where}: {error}") from None

    def _stop(self, guest: Guest) -> str:
        """Stop a new guest where asked; a guest that ends before can be looked at as well."""
        try:
            if self._where is not None:
                guest.stop_before(self._where)
            elif not stop_at_first_c_function(guest):
                return "The kernel has no debug information of C: this is before its first line."
        except GuestEnded as error:
            self.ended = error.ending
            wanted = self._where or "its first C function"
            return f"The guest ended before {wanted}: {_in_short(error.ending)}"
        return ""

    def _news(self, descriptor: int) -> None:
        """Take in what the kernel or QEMU has said."""
        guest = self.guest
        with contextlib.suppress(MachineError):
            guest.look()
        if not guest.qemu_alive:
            self._loop.remove(descriptor)

    def observe(self) -> Observation:
        """Return the stopped guest; raise :class:`NotToBeSeen` while it runs, or has vanished."""
        self._require_stopped()
        note = "" if self.heard.ready else NOT_READY
        return Observation(self.guest, self.guest.moment(), note, self.marks.get)

    def _require_stopped(self) -> None:
        try:
            running = self.guest.is_running()
        except QemuFailed:
            raise NotToBeSeen("QEMU has ended: 'mm reboot' starts a new machine") from None
        if running:
            raise NotToBeSeen("the guest runs: interrupt it first")

    def stopped(self) -> Stop:
        """Take note that gdb has the prompt."""
        told, over, note = self.ended, False, ""
        with contextlib.suppress(NotToBeSeen, MachineError, DescriptionError):
            self.ended = self.guest.look()
            self._require_stopped()
            over = self.guest.is_over()
            if self._at_the_end():
                over, note = True, END_OF_RECORD
            self.marks.stop(self._state())
        ended = "" if self.ended is None or self.ended == told else _in_short(self.ended)
        return Stop(self.heard.take(), ended, over, note)

    def _state(self) -> MemoryState:
        seen = self.observe()
        return decode(seen.guest.ram, seen.control, seen.kernel, seen.moment)

    def _at_the_end(self) -> bool:
        """Return whether the guest is a replayed one that has come to the end of its record."""
        recording, guest = self._recording, self._guest
        if recording is None or not isinstance(guest, CountedGuest):
            return False
        return guest.executed() >= recording.length

    def mark(self, name: str) -> None:
        """Keep the state as it is now under a name."""
        self._require_stopped()
        self.marks.set(name, self._state())

    def printed(self) -> str:
        """Return what the kernel has printed since this was last asked, or what its screen shows.

        Raise :class:`harness.machine.errors.MachineError`.
        """
        if self.guest.kernel.description.console.device == "screen":
            return self.guest.screen.text
        self.guest.look()
        return self.heard.take()

    def type_line(self, line: str) -> None:
        """Type a line on the kernel's console, which it reads once it runs.

        Raise :class:`NotToBeSeen` for one that is too long, or when nobody reads them.
        """
        if len(line) > LONGEST_LINE:
            raise NotToBeSeen(f"a line has at most {LONGEST_LINE} characters")
        if not select.select([], [self.guest.console.fileno()], [], 0)[1]:
            raise NotToBeSeen("the kernel has not read what was typed before: let it run first")
        self.guest.console.send(f"{line}\r")

    @cached_property
    def records(self) -> Records:
        """What the kernel's description says of its C types."""
        return Records(self.guest.kernel, Observation(self.guest).space)

    def close(self) -> None:
        """End the machine."""
        self.__dict__.pop("records", None)
        self._guest = self._recorder = None
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _in_short(ending: Ending) -> str:
    """Return how a guest ended without the console, which gdb shows by itself."""
    return str(replace(ending, console_tail=""))
