"""Which of several allocators of one moment is in charge.

A kernel may have an early allocator, or a choice of them. At its moment the chosen one must be
there; before it, after it, and in a boot that chose another one, it must not be.
"""

from __future__ import annotations

from harness.check.findings import Findings
from harness.check.model import READY, Model
from harness.check.violation import Violation
from harness.decode.state import Bitmap, Bump, MemoryState


def is_in_charge(
    findings: Findings, model: Model, state: MemoryState, allocator: Bitmap | Bump
) -> bool:
    """Report an allocator that is there at the wrong time; tell whether its contents matter now."""
    moment = _moments(model).get(allocator.name, READY)
    name = allocator.name
    if not allocator.chosen:
        if not allocator.gone:
            message = f"{name} is not the allocator that was chosen, but its pointer stands"
            findings.add("not-chosen", message, ("V5",))
        return False
    if state.moment == moment and allocator.gone:
        findings.add("gone", f"{name} is already gone at the moment {moment!r}", ("V5",))
    elif state.moment == READY != moment and not allocator.gone:
        message = f"{name} has been handed over, but its pointer still stands"
        findings.add("not-gone", message, ("V4",))
    return state.moment == moment and not allocator.gone


def check_in_charge(model: Model, state: MemoryState) -> tuple[Violation, ...]:
    """Report a moment at which none of the allocators that were described for it was chosen."""
    findings = Findings("moment")
    names = [name for name, moment in _moments(model).items() if moment == state.moment]
    everyone: tuple[Bitmap | Bump, ...] = (*state.bitmaps, *state.bumps)
    decoded = [one for one in everyone if one.name in names]
    if names and len(decoded) == len(names) and not any(one.chosen for one in decoded):
        message = f"at the moment {state.moment!r} none of {', '.join(names)} is chosen"
        findings.add("nobody", message, ("V5",))
    return findings.result()


def _moments(model: Model) -> dict[str, str]:
    return {found.name: found.moment for found in model.description.allocators}
