"""``check``: everything that is wrong with the memory manager, here and now."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable
from dataclasses import asdict
from itertools import chain

from harness.check.inspect import Inspection
from harness.check.observation import Observation
from harness.check.violation import Violation
from harness.decode.state import MemoryState
from harness.report.run_table import About, lost_text, nothing_more
from harness.report.units import about
from harness.report.views.view import Answer, View


def show_check(seen: Observation, options: Namespace) -> Answer:
    """Return every violation, or that there is none."""
    inspection = seen.inspection
    lines = [figures_text(inspection), "", verdict_text(inspection.state, inspection.violations)]
    if seen.note and inspection.violations:
        lines.append(seen.note)
    json = {
        "summary": asdict(inspection.summary),
        "violations": [asdict(violation) for violation in inspection.violations],
    }
    return Answer("\n".join(lines), json, bool(inspection.violations))


def figures_text(inspection: Inspection) -> str:
    """Return how much memory is usable, free, and lost to whom."""
    summary = inspection.summary
    if not _says_what_is_free(inspection.state):
        return f"usable {about(summary.usable_bytes)}; nothing says which frames are free"
    return (
        f"usable {about(summary.usable_bytes)}, free {about(summary.free_bytes)}, "
        f"largest free block {about(summary.largest_free_block)}; "
        f"frames lost {lost_text(summary.lost)}"
    )


def verdict_text(
    state: MemoryState, violations: Iterable[Violation], more: About = nothing_more
) -> str:
    """Return the violations, a line each; ``more`` gives lines to be told below one."""
    told = ([f"  {one}", *(f"    {line}" for line in more(one))] for one in violations)
    lines = list(chain.from_iterable(told))
    if lines:
        return "\n".join(["violations:", *lines])
    return "no violations" if _says_what_is_free(state) else "no violations in what is described"


def _says_what_is_free(state: MemoryState) -> bool:
    return bool(state.frame_table or state.free_lists or state.bitmaps or state.bumps)


CHECK = View(
    name="check",
    summary="Check every invariant on the guest as it is now.",
    details="In the midst of an operation the kernel's records are rightly in disorder.",
    show=show_check,
)
