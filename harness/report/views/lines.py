"""Lines of a view: how many are printed, and what does not add up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

from harness.check.faults import every_fault
from harness.decode.state import MemoryState

MOST = 10_000
"""Lines of one kind that a view prints; the rest is counted."""


def bounded(lines: Iterable[str], what: str, most: int = MOST) -> list[str]:
    """Return the first ``most`` lines, and one that tells how many more there are."""
    rest = iter(lines)
    shown = list(islice(rest, most))
    more = sum(1 for _ in rest)
    return [*shown, f"  … and {more} more {what}"] if more else shown


def faults_text(state: MemoryState, structures: Sequence[str]) -> list[str]:
    """Return what could not be decoded of structures, by their names or the beginnings of them."""
    found = [
        f"  {fault.structure}: {fault.message}"
        for fault in every_fault(state)
        if fault.structure.startswith(tuple(structures))
    ]
    return ["what does not add up:", *found] if found else []
