"""Which of several allocators of one moment is in charge.

A kernel may have an early allocator, or a choice of them. At its moment the chosen one must be
there; before it, after it, and in a boot that chose another one, it must not be.
"""

from __future__ import annotations

from harness.check.findings import Findings
from harness.check.model import READY, Model
from harness.check.violation import Violation
from harness.decode.belief.frames import Bitmap, Bump
from harness.decode.state import MemoryState


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
    """Report a moment that has a choice of allocators, and not exactly one of them chosen."""
    findings = Findings("moment")
    choices = _choices(model, state.moment)
    if not choices or set(choices) & {fault.structure for fault in state.faults}:
        return ()
    chosen = {expression: name for name, expression in choices.items() if _is_chosen(state, name)}
    said = f"at the moment {state.moment!r}"
    if not chosen:
        findings.add("nobody", f"{said} none of {', '.join(choices)} is chosen", ("V5",))
    elif len(chosen) > 1:
        message = f"{said} {' and '.join(chosen.values())} are chosen, which is one too many"
        findings.add("several", message, ("V4", "V5"))
    return findings.result()


def _choices(model: Model, moment: str) -> dict[str, str]:
    """Return the allocators of frames among which a boot chooses: name → when it is chosen.

    One allocator may be described by several structures, under one condition.
    """
    description = model.description
    found = {one.name: one.chosen for one in description.allocators if one.moment == moment}
    if moment == READY:
        found |= {one.name: one.chosen for one in description.free_lists}
    return {name: chosen for name, chosen in found.items() if chosen is not None}


def _is_chosen(state: MemoryState, name: str) -> bool:
    """Return whether it is; free lists that are not chosen are not in the state at all."""
    allocators: tuple[Bitmap | Bump, ...] = (*state.bitmaps, *state.bumps)
    found = {one.name: one.chosen for one in allocators}
    return found.get(name, any(one.name == name for one in state.free_lists))


def _moments(model: Model) -> dict[str, str]:
    return {found.name: found.moment for found in model.description.allocators}
