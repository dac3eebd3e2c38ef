"""Who wrote the words in memory that are wrong with a case."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.check.verify import judge
from harness.check.violation import Violation
from harness.debug.accuse import Accusation, accuse
from harness.debug.blame_text import accusation_text
from harness.fuzz.case import Case
from harness.image.kernel_image import KernelImage
from harness.machine.errors import MachineError
from harness.machine.machine import Machine
from harness.machine.recording import check_recordable
from harness.machine.spec import MachineSpec
from harness.workload.operation import operations
from harness.workload.tape import run_command, written_tape

MOST = 3
"""Violations whose words are followed, the first ones: what took the kernel long takes long."""


def blame_case(
    case: Case, kernel: KernelImage, violations: Sequence[Violation]
) -> dict[Violation, list[str]]:
    """Boot a case again, recorded, and tell of each of the first violations who is to blame.

    Raise :class:`MachineError` when that cannot be found out.
    """
    chosen = [one for one in violations if one.word is not None][:MOST]
    accusation = _accuse(case, kernel, chosen)
    told = {one: accusation_text(accusation, one) for one in chosen}
    doubts = [f"note: {doubt}" for doubt in accusation.doubts]
    return {one: [*lines, *doubts] for one, lines in told.items()}


def why_not_blamed(case: Case, kernel: KernelImage, violations: Sequence[Violation]) -> str | None:
    """Return why nobody can be blamed before anything is tried, None when it can be tried."""
    try:
        check_recordable(case.spec(kernel))
    except MachineError as error:
        return str(error)
    if all(one.word is None for one in violations):
        return "nothing that is wrong stands in one known word of memory"
    return None


def _accuse(case: Case, kernel: KernelImage, violations: Sequence[Violation]) -> Accusation:
    spec = case.spec(kernel)
    if not case.steps or _shown_at_ready(spec, violations):
        return accuse(spec, violations)
    # What the harness writes to RAM while the kernel runs, no record has: the tape comes filled.
    *others, tape = spec.modules
    filled = written_tape(kernel, tape, operations(case.steps))
    spec = replace(spec, modules=(*others, filled))
    return accuse(spec, violations, commands=(run_command(kernel, len(case.steps)),))


def _shown_at_ready(spec: MachineSpec, violations: Sequence[Violation]) -> bool:
    """Return whether all is wrong already before operations are run: then they were not."""
    with Machine(spec) as machine, machine.boot() as guest:
        verdict, _ = judge(guest, guest.run_until_ready())
    return set(violations) <= set(verdict.violations)
