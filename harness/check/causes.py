"""What is wrong, causes before what follows from them.

One broken page table makes a frame table unreadable and frames of everybody's look lost. A reader
starts at the first violation, so the one that explains the others has to be it.
"""

from __future__ import annotations

from collections.abc import Iterable

from harness.check.violation import Violation

_CAUSES = ("contents.", "decode.page-tables", "firmware-map.", "paging.", "walk.", "decode.")
"""Beginnings of kinds. Written-over code or boot information can break anything; a bad entry hides
what lies behind it; the linear map is made from the firmware's map; and what cannot be decoded is
missing in every other comparison."""


def causes_first(violations: Iterable[Violation]) -> tuple[Violation, ...]:
    """Return the violations in the order in which a person should read them."""
    return tuple(sorted(violations, key=_rank))


def _rank(violation: Violation) -> int:
    ranks = (rank for rank, start in enumerate(_CAUSES) if violation.kind.startswith(start))
    return next(ranks, len(_CAUSES))
