"""One case booted and judged."""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.check.verdict import Verdict, Word
from harness.check.verify import judge
from harness.check.violation import Violation
from harness.fuzz.case import Case
from harness.fuzz.features import features
from harness.fuzz.possible import why_impossible
from harness.image.kernel_image import KernelImage
from harness.machine.ending import EndingKind
from harness.machine.errors import QemuFailed
from harness.machine.guest import Guest
from harness.machine.pool import Pool
from harness.machine.spec import MachineSpec
from harness.workload.operation import operations
from harness.workload.tape import TapeEnded, TapeError, TapeRefused
from harness.workload.verify import verify_tape

_DETAILS = re.compile(r"\([^)]*\)|0x[0-9a-f]+(-0x[0-9a-f]+)?|\d+")
"""What differs between two sightings of one bug."""
_IN_NUMBER = {"frames": "frame", "pages": "page", "are": "is", "have": "has", "them": "it"}
CALLERS = 2
"""Functions from a backtrace's top that tell one bug from another."""


@dataclass(frozen=True)
class Attempt:
    """What became of a case."""

    case: Case
    word: Word | None
    """None when the case is impossible: no boot loader leaves memory like that."""
    features: frozenset[str] = frozenset()
    violations: tuple[Violation, ...] = ()
    group: str | None = None
    """What is wrong and where, without numbers: two cases with one group show the same bug."""
    impossible: str | None = None
    """Why it is, if it is."""
    qemu_died: bool = False


def attempt(case: Case, kernel: KernelImage, pool: Pool) -> Attempt:
    """Boot a case and check everything; then, if it has a tape, run and verify that.

    Raise :class:`harness.machine.errors.MachineError` for a machine that cannot be started.
    """
    spec = case.spec(kernel)
    if (why := why_impossible(spec)) is not None:
        return Attempt(case, None, impossible=why)
    try:
        found = _boot(case, spec, pool)
        if not found.qemu_died:
            return found
    except QemuFailed:
        pass  # as when somebody kills it; a case that does it again is to blame
    try:
        return _boot(case, spec, pool)
    except QemuFailed as error:
        violation = Violation("ending.qemu-died", f"QEMU failed: {error}", ("V10",))
        return Attempt(case, "finding", frozenset(), (violation,), violation.kind, qemu_died=True)


def _boot(case: Case, spec: MachineSpec, pool: Pool) -> Attempt:
    with pool.boot(spec) as guest:
        ending = guest.run_until_ready()
        verdict, inspection = judge(guest, ending)
        found = features(verdict, inspection)
        violations = verdict.violations
        # A tape is found by its module's string.
        tape = bool(case.steps) and case.shape.module_strings
        if tape and inspection is not None and not violations:
            violations = _run_tape(guest, case)
    return Attempt(
        case,
        "finding" if violations else verdict.verdict,
        found,
        violations,
        group_of(verdict, violations),
        qemu_died=ending.kind is EndingKind.QEMU_DIED,
    )


def _run_tape(guest: Guest, case: Case) -> tuple[Violation, ...]:
    guest.resume()
    try:
        return verify_tape(guest, operations(case.steps)).violations
    except TapeEnded as error:
        return judge(guest, error.ending)[0].violations
    except TapeRefused:
        return ()  # it lies where this kernel does not reach
    except TapeError as error:
        return (Violation("tape.broken", str(error), ("V9", "V11")),)


def group_of(verdict: Verdict, violations: tuple[Violation, ...]) -> str | None:
    """Return what is wrong without numbers, and the functions in which the kernel ended."""
    if not violations:
        return None
    first = violations[0]
    if not verdict.ending.backtrace:
        words = _DETAILS.sub("", first.message).split()
        return f"{first.kind}: {' '.join(_IN_NUMBER.get(word, word) for word in words)}"
    functions = [frame.function or "?" for frame in verdict.ending.backtrace[:CALLERS]]
    return f"{first.kind} in {', called from '.join(functions)}"
