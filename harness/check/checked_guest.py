"""A guest whose memory manager can be decoded, judged and compared with itself at any time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

from harness.check.difference import Difference, difference
from harness.check.inspect import Inspection, control_registers, inspect_guest
from harness.check.model import READY
from harness.check.violation import Violation
from harness.decode.decode import decode
from harness.decode.state import MemoryState
from harness.machine.guest import Guest


class CheckFailed(AssertionError):
    """Something is wrong with a guest's memory manager; the text has every violation."""

    def __init__(self, violations: Iterable[Violation]) -> None:
        self.violations = tuple(violations)
        """Causes first."""
        count = len(self.violations)
        heading = f"{count} violation{'s' * (count != 1)} of what must be true of memory:"
        super().__init__("\n".join([heading, *(f"  {one}" for one in self.violations)]))


class CheckedGuest(Guest):
    """A guest with all of :class:`Guest`, and what its memory manager believes.

    It is the very guest that it is made of: what is done with one has happened to the other.
    Looking pauses the CPU between two instructions, and lets it go on when it was going before.
    Look while the kernel waits for a command: in the midst of an operation its records are rightly
    in disorder.
    """

    def __init__(self, guest: Guest) -> None:
        # One set of attributes for both, so that they agree whether the guest has ended.
        self.__dict__ = guest.__dict__

    def __enter__(self) -> Self:
        return self

    def inspect(self, moment: str = READY) -> Inspection:
        """Decode and check the guest now; return also what is right with it.

        ``moment`` is ``ready``, or the moment of the kernel's description that the guest has got
        to (:meth:`stop_before`): then only the allocators that live then are decoded. Raise
        :class:`harness.machine.errors.GuestEnded` when QEMU is gone, and
        :class:`harness.decode.context.DescriptionMismatch` for a description of another kernel.
        """
        with self.paused():
            return inspect_guest(self, moment)

    def state(self, moment: str = READY) -> MemoryState:
        """Return what the memory manager believes now; raises like :meth:`inspect`."""
        with self.paused():
            return decode(self.ram, control_registers(self), self.kernel, moment)

    def check(self, moment: str = READY) -> Inspection:
        """Raise :class:`CheckFailed` with everything that is wrong now; else return what was found.

        Raises like :meth:`inspect`, too.
        """
        inspection = self.inspect(moment)
        if inspection.violations:
            raise CheckFailed(inspection.violations)
        return inspection

    def diff(self, earlier: MemoryState) -> Difference:
        """Return what has changed in the memory manager since ``earlier``, in words.

        Raises like :meth:`inspect`.
        """
        return difference(earlier, self.state(earlier.moment))
