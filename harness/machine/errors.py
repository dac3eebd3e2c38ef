"""What can go wrong with a machine, apart from the kernel on it.

How a *kernel* ends is no error but an :class:`harness.machine.ending.Ending`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.machine.ending import Ending


class MachineError(Exception):
    """A machine that could not be built, started or talked to."""


class SpecError(MachineError):
    """A machine that cannot exist; the message says what would."""


class ToolMissing(MachineError):
    """A program that is needed is not installed."""


class QemuMissing(ToolMissing):
    """``qemu-system-i386`` or what starts it is not installed."""


class QemuFailed(MachineError):
    """QEMU ended, or refused a command, where it should not have."""


class GuestEnded(MachineError):
    """A guest ended while something was still wanted of it."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(f"the guest ended: {ending}")
        self.ending = ending


class GuestStopped(MachineError):
    """A debugger stopped the guest while something was waited for."""


class MachineTimeout(MachineError):
    """Something did not happen in time."""


class MonitorError(MachineError):
    """The kernel's monitor gave no answer that can be understood."""


class CommandFailed(MonitorError):
    """The kernel's monitor answered a command with an error."""

    def __init__(self, command: str, text: str) -> None:
        super().__init__(f"{command!r} was answered with an error: {text}")
        self.command = command
        """The line that it was given."""
        code, colon, words = text.partition(":")
        known = bool(colon) and code.isidentifier()
        self.code = code if known else ""
        """The one word in front of a colon: what kind of error it is; empty when there is none."""
        self.words = words.strip() if known else text
