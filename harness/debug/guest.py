"""A guest that can be debugged by script, with all of a guest that can be checked."""

from __future__ import annotations

from types import TracebackType

from harness.check.checked_guest import CheckedGuest
from harness.debug.debugger import Debugger
from harness.debug.stops import BreakpointHit
from harness.machine.errors import GuestStopped
from harness.machine.guest import BOOT_TIMEOUT, Guest


class DebuggedGuest(CheckedGuest):
    """A guest with all of :class:`CheckedGuest`, and gdb on demand.

    It is the very guest that it is made of, as a checked one is.
    """

    _debugger: Debugger | None

    def __init__(self, guest: Guest) -> None:
        super().__init__(guest)
        self.__dict__.setdefault("_debugger", None)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.detach()
        super().__exit__(kind, error, trace)

    @property
    def debugger(self) -> Debugger:
        """gdb, attached when this is asked for first, at any moment of the boot.

        Attaching leaves a guest that runs running. After ``debugger.close()``, or when gdb has
        died, it is a new one without breakpoints.
        """
        if self._debugger is None or self._debugger.closed:
            self._debugger = Debugger(self, self._vm, self._watch)
        return self._debugger

    def detach(self) -> None:
        """End gdb, if it is attached, with its breakpoints; a guest that runs runs on."""
        self._vm.detach()

    def stop_before(self, function: str, timeout: float = BOOT_TIMEOUT) -> None:
        """Run until just before ``function``'s first instruction, like :meth:`Guest.stop_before`.

        While gdb is attached, raise :class:`GuestStopped` when another of its breakpoints is met.
        """
        if self._debugger is None or self._debugger.closed:
            super().stop_before(function, timeout)
            return
        address = self.kernel.symbol(function)
        here = self._debugger.break_at(address, hardware=True, temporary=True)
        try:
            stop = self._debugger.run(timeout)
        finally:
            self._debugger.delete(here)
        if not isinstance(stop, BreakpointHit) or stop.number != here.number:
            raise GuestStopped(f"the guest stopped before it came to {function}: {stop}")
