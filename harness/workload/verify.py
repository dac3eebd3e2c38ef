"""A whole tape run and verified: by the policies, and by what must be true of any allocator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from harness.check.causes import causes_first
from harness.check.findings import Findings
from harness.check.inspect import Inspection, inspect_guest
from harness.check.violation import Violation
from harness.machine.guest import Guest
from harness.workload.blocks import Blocks, blocks_of, live
from harness.workload.contract import check_blocks
from harness.workload.follow import Differs, follow
from harness.workload.left import check_contents, check_held, check_slots
from harness.workload.model import model_for
from harness.workload.operation import Operations, Results, in_words
from harness.workload.tape import PIECE_TIMEOUT, Tape, TapeError


@dataclass(frozen=True)
class TapeVerdict:
    """What a tape did, and what was wrong with it."""

    results: Results
    blocks: Blocks
    """What the allocations gave; see :mod:`harness.workload.blocks`."""
    before: Inspection
    after: Inspection
    followed: bool
    """Whether there was a policy to compare every operation with."""
    violations: tuple[Violation, ...]
    """Those of the tape, and those of the state that it left."""


def verify_tape(
    guest: Guest,
    operations: Operations,
    progress: Callable[[int], object] = int,
    timeout: float = PIECE_TIMEOUT,
    before: Inspection | None = None,
) -> TapeVerdict:
    """Run a tape on a guest that is ready, and check everything that it says and leaves.

    ``before`` is what it looks like now, where that is known, and the guest is paused since.
    The tape's slots must be empty, else :class:`TapeError`; it raises what ``Tape.run`` does.
    Checked are each result against the policies of the allocators in charge, where there are
    any; alignment, place and zone of each block; that no two blocks that live at one time share
    a byte; contents, where operations have FILL and CHECK; and at the end that the state is
    right, and says of exactly the live blocks' frames that callers hold them.
    """
    tape = Tape(guest)
    if tape.live():
        raise TapeError("slots of this tape are in use: verify a tape from its beginning")
    if before is None:
        before = _inspected(guest)
    else:
        guest.resume()
    results = tape.run(operations, progress, timeout)
    after = _inspected(guest)
    blocks = blocks_of(operations, results)
    model = model_for(operations, before.state, int(np.count_nonzero(before.ledger.free)))
    findings = Findings("tape")
    if model is not None:
        _check_policy(findings, operations, results, follow(operations, results, model))
    _check_results(findings, operations, results)
    check_blocks(findings, before.model, operations, blocks)
    left = live(blocks, len(operations))
    check_slots(findings, tape, left)
    check_held(findings, before.state, after.state, left, tape)
    check_contents(findings, guest.ram, after.state, left)
    violations = causes_first((*findings.result(), *after.violations))
    return TapeVerdict(results, blocks, before, after, model is not None, violations)


def _inspected(guest: Guest) -> Inspection:
    guest.pause()
    inspection = inspect_guest(guest)
    guest.resume()
    return inspection


def _check_policy(
    findings: Findings, operations: Operations, results: Results, differs: Differs | None
) -> None:
    if differs is None:
        return
    position, value = differs.position, int(results["value"][differs.position])
    words = (
        f"operation {position}, {in_words(operations[position])}, returned 0x{value:x}, and by "
        f"the allocator's policy it is 0x{differs.expected:x}"
    )
    findings.add("policy", words, ("V11",), value or None)


def _check_results(findings: Findings, operations: Operations, results: Results) -> None:
    """Report contents that were wrong when the guest looked at them."""
    for position in np.flatnonzero(results["wrong"]).tolist():
        address = int(results["value"][position])
        words = f"operation {position}, {in_words(operations[position])}, found wrong contents"
        findings.add("contents", f"{words} at 0x{address:x}", ("V9",), address)
