"""What lets a guest's CPU run and stops it: QEMU's control protocol, or a debugger."""

from __future__ import annotations

from typing import Protocol

from harness.machine.qmp import Qmp

ENDED = "Resetting the Virtual Machine is required"
"""QEMU's error when a guest that has reset itself or switched off is told to run."""


class Runner(Protocol):
    """Resumes and pauses a CPU."""

    @property
    def running(self) -> bool:
        """Whether the CPU was told to run, and has not been stopped since."""
        ...

    def resume(self) -> None:
        """Let the CPU run; one whose guest has ended stays as it is."""
        ...

    def pause(self) -> None:
        """Stop the CPU; costs nothing when it is stopped."""
        ...


class AttachedDebugger(Runner, Protocol):
    """A debugger that has QEMU's GDB stub, and with it the CPU."""

    def stopped(self) -> str | None:
        """Return why it has stopped the CPU by itself, None while it runs."""
        ...

    def fileno(self) -> int:
        """Return the descriptor that is readable when there may be news of the CPU."""
        ...

    def close(self) -> None:
        """Let go of the CPU."""
        ...


class QmpRunner:
    """Resumes and pauses by QEMU's control protocol."""

    def __init__(self, qmp: Qmp) -> None:
        self._qmp = qmp
        self.running = False

    def resume(self) -> None:
        """Let the CPU run."""
        self.running = True
        # A guest that was told to run may end before it is told to stop, and then to run again.
        self._qmp.post("cont", unless=ENDED)
        self._qmp.send()

    def pause(self) -> None:
        """Stop the CPU; costs nothing when that was the last thing done."""
        if self.running:
            self._qmp.execute("stop")
            self.running = False
