"""How a boot ended."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from harness.machine.backtrace import Frame
from harness.machine.registers import Registers


class EndingKind(Enum):
    """The ways for a run to end."""

    READY = "ready"
    """The kernel said that it is ready; it still runs."""
    RUNNING = "running"
    """It runs, or waits for interrupts; its description does not say how it tells more."""
    PANIC = "panic"
    """It gave up, on the console or through pvpanic."""
    REFUSED = "refused"
    """It turned the machine down."""
    TRIPLE_FAULT = "triple fault"
    """A fault in the double fault's delivery (Intel SDM volume 3, section 6.15, vector 8)."""
    RESET = "reset"
    """It reset the machine on purpose, or by a stray write to port 0xCF9 or 0x64."""
    POWER_OFF = "power off"
    """It switched the machine off."""
    HANG = "hang"
    """It used up its time, or halted for good."""
    QEMU_DIED = "qemu died"
    """QEMU itself ended."""
    WRONG_IMAGE = "wrong image"
    """What runs is not this kernel: its entry point was not reached, or execution left it."""


@dataclass(frozen=True)
class Ending:
    """How a boot ended; unless it is :attr:`alive`, the machine is paused with its RAM intact."""

    kind: EndingKind
    message: str
    """One sentence without the kind."""
    console_tail: str = ""
    backtrace: tuple[Frame, ...] = ()
    """Innermost first; empty when ready, and when QEMU is gone."""
    registers: Registers | None = None
    """None when ready, and when QEMU is gone."""

    @property
    def alive(self) -> bool:
        """Whether the guest still runs."""
        return self.kind in (EndingKind.READY, EndingKind.RUNNING)

    def __str__(self) -> str:
        """Return what a person needs to see of it."""
        lines = [f"{self.kind.value}: {self.message}"]
        lines += [f"  at {frame}" for frame in self.backtrace]
        if self.console_tail:
            lines += ["  the console's last lines:"]
            lines += [f"  | {line}" for line in self.console_tail.splitlines()]
        return "\n".join(lines)
