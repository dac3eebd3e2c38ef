"""A boot from beginning to end: how far a guest runs, and what is typed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from harness.machine.ending import Ending
from harness.machine.errors import GuestEnded
from harness.machine.guest import Guest
from harness.machine.recording import Recorder, Recording
from harness.machine.spec import MachineSpec

T = TypeVar("T")


@dataclass(frozen=True)
class Course:
    """How far a boot goes; by default until the kernel is ready, or ends."""

    until: str | None = None
    """A function before whose first instruction it stops."""
    commands: tuple[str, ...] = ()
    """Of the kernel's monitor, given one after the other once it is ready."""


def run_course(guest: Guest, course: Course) -> Ending | None:
    """Let a guest run so far, and pause it; return how it ended if it did before."""
    with guest:
        try:
            if course.until is not None:
                guest.stop_before(course.until)
                return None
            ending = guest.run_until_ready()
            if not ending.alive:
                return ending
            for command in course.commands:
                guest.monitor.command(command)
        except GuestEnded as error:
            return error.ending
    return None


def record_course(
    spec: MachineSpec, course: Course, look: Callable[[Guest], T]
) -> tuple[Recording, T]:
    """Record a boot of ``spec``; return the record, and what ``look`` sees at its end.

    Raise :class:`harness.machine.errors.SpecError` for a machine that cannot be recorded.
    """
    with Recorder(spec) as recorder:
        run_course(recorder.guest, course)
        seen = look(recorder.guest)
        return recorder.finish(), seen
