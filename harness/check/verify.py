"""The single entry: a machine in, a verdict out."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import replace

from harness.check.cross_check import cross_check
from harness.check.inspect import Inspection, control_registers, inspect_guest, model_of
from harness.check.refusal import reason_to_refuse
from harness.check.verdict import Verdict, Word
from harness.check.violation import Violation
from harness.decode.in_use import description_in_use
from harness.image.description import Description
from harness.machine.ending import Ending, EndingKind
from harness.machine.errors import GuestEnded
from harness.machine.guest import Guest
from harness.machine.machine import Machine
from harness.machine.pool import Pool
from harness.machine.spec import MachineSpec

_ENDINGS = {
    EndingKind.PANIC: "panicked",
    EndingKind.REFUSED: "turned down a machine that it can work on",
    EndingKind.TRIPLE_FAULT: "ended in a triple fault",
    EndingKind.RESET: "reset the machine",
    EndingKind.POWER_OFF: "switched the machine off",
    EndingKind.HANG: "did not get ready in time",
    EndingKind.QEMU_DIED: "never got ready: QEMU itself ended",
    EndingKind.WRONG_IMAGE: "did not run: other code did",
}


def verify(spec: MachineSpec, pool: Pool | None = None, thorough: bool = False) -> Verdict:
    """Boot ``spec``, decode its memory manager when it is ready, check it, and say what it is.

    With a ``pool`` a warm machine is reused. A ``thorough`` look takes some ten times as long: the
    guest is also stopped at each moment of the description at which a bitmap or a bump allocator is
    in charge, and its page tables are compared with QEMU's own walk and with what the CPU does.
    Raise :class:`harness.machine.errors.MachineError` for a machine that cannot be started.
    """
    started = time.perf_counter()
    with _booted(spec, pool) as guest:
        early: list[Violation] = []
        ending = _run(guest, early if thorough else None)
        verdict, _ = judge(guest, ending, thorough)
    violations = (*early, *verdict.violations)
    word = "finding" if violations else verdict.verdict
    seconds = time.perf_counter() - started
    return replace(verdict, violations=violations, verdict=word, seconds=seconds, thorough=thorough)


@contextlib.contextmanager
def _booted(spec: MachineSpec, pool: Pool | None) -> Iterator[Guest]:
    if pool is not None:
        with pool.boot(spec) as guest:
            yield guest
        return
    with Machine(spec) as machine, machine.boot() as guest:
        yield guest


def _run(guest: Guest, early: list[Violation] | None) -> Ending:
    """Run until ready, on the way gathering what is wrong at earlier moments when wanted."""
    if early is not None:
        for moment, function in _moments(guest.spec.kernel.description):
            try:
                guest.stop_before(function)
            except GuestEnded as error:
                return error.ending
            early += inspect_guest(guest, moment).violations
    return guest.run_until_ready()


def _moments(description: Description) -> Iterator[tuple[str, str]]:
    """Yield each moment at which such an allocator is in charge, with the function that ends it."""
    used = {allocator.moment for allocator in description.allocators}
    for moment, function in description.moments.items():
        if moment in used:
            yield moment, function


def judge(
    guest: Guest, ending: Ending, thorough: bool = False
) -> tuple[Verdict, Inspection | None]:
    """Return what a boot that ended like this amounts to, and what was seen if there was a state.

    A guest that is ready is paused.
    """
    verdict = Verdict(guest.spec, "good", ending.kind.value, ending)
    if ending.alive:
        guest.pause()
        inspection = inspect_guest(guest)
        violations = inspection.violations
        if thorough:
            violations += cross_check(guest, inspection)
        word: Word = "finding" if violations else "good"
        found = replace(verdict, verdict=word, violations=violations, summary=inspection.summary)
        return found, inspection
    if ending.kind is EndingKind.REFUSED and (reason := right_to_refuse(guest)):
        return replace(verdict, verdict="refused", refusal=reason), None
    return replace(verdict, verdict="finding", violations=(_bad_ending(ending),)), None


def right_to_refuse(guest: Guest) -> str | None:
    """Return why a guest's kernel may turn its machine down, None if it must work on it."""
    registers = control_registers(guest)
    in_use = description_in_use(guest.ram, registers, guest.spec.kernel)
    return reason_to_refuse(replace(model_of(guest), description=in_use), guest.spec.kernel)


def _bad_ending(ending: Ending) -> Violation:
    """Say how a boot ended that should have become ready, and where."""
    message = f"the kernel {_ENDINGS[ending.kind]}: {ending.message}"
    if ending.backtrace:
        message += "; at " + ", called from ".join(str(frame) for frame in ending.backtrace)
    kind = f"ending.{ending.kind.value.replace(' ', '-')}"
    address = ending.registers.eip if ending.registers else None
    return Violation(kind, message, ("V10",), address, physical=False)
