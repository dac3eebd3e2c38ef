"""Why a guest stopped: one class for each reason."""

from __future__ import annotations

from dataclasses import dataclass

from harness.debug.breakpoints import Access
from harness.debug.frames import Frame
from harness.debug.values import Value, shown
from harness.machine.ending import Ending


@dataclass(frozen=True)
class Stop:
    """A guest that has stopped between two instructions."""

    frame: Frame
    """Where it is, innermost."""

    def __str__(self) -> str:
        return f"{self.why} at {self.frame}"

    @property
    def why(self) -> str:
        """The reason in a few words."""
        return "stopped"


@dataclass(frozen=True)
class BreakpointHit(Stop):
    """Its next instruction has a breakpoint, whose condition holds if it has one."""

    number: int

    @property
    def why(self) -> str:
        return f"breakpoint {self.number}"


@dataclass(frozen=True)
class WatchpointHit(Stop):
    """The last instruction used memory that is watched."""

    number: int
    expression: str
    access: Access
    """What the watchpoint waits for."""
    old: Value
    """The value when the guest stopped there last, or the watchpoint was made."""
    new: Value
    """The value now."""

    @property
    def why(self) -> str:
        change = f"was {shown(self.old)}, is {shown(self.new)}"
        return f"watchpoint {self.number}: {self.expression} {change}"


@dataclass(frozen=True)
class StepDone(Stop):
    """The steps, or the way to where it should run, are done."""

    @property
    def why(self) -> str:
        return "step done"


@dataclass(frozen=True)
class FunctionFinished(Stop):
    """The function that should be finished has returned."""

    value: Value
    """What it returned; None for ``void``, or when gdb cannot tell."""

    @property
    def why(self) -> str:
        return f"returned {shown(self.value)}"


@dataclass(frozen=True)
class Interrupted(Stop):
    """It was paused."""

    @property
    def why(self) -> str:
        return "interrupted"


@dataclass(frozen=True)
class SignalReceived(Stop):
    """QEMU's stub gave another reason."""

    signal: str
    """gdb's name, such as ``SIGTRAP``."""

    @property
    def why(self) -> str:
        return self.signal


@dataclass(frozen=True)
class GuestEnd(Stop):
    """It panicked, reset itself or switched off; its memory and registers can still be read."""

    ending: Ending

    @property
    def why(self) -> str:
        return f"{self.ending.kind.value}: {self.ending.message}"
