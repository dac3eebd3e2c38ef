"""Collecting decode faults without end: a hostile guest can be wrong in a million places."""

from __future__ import annotations

from collections.abc import Callable

from harness.decode.belief.fault import DecodeFault

LISTED = 20
"""Faults of one kind that are listed one by one."""


def list_faults(count: int, fault: Callable[[int], DecodeFault]) -> list[DecodeFault]:
    """Return ``fault(i)`` for each ``i`` below ``count``.

    Those past :data:`LISTED` are summed up in one that names the first of them.
    """
    faults = [fault(index) for index in range(min(count, LISTED + 1))]
    if count > LISTED + 1:
        last = faults[-1]
        more = f"{last.message}; and {count - LISTED - 1} more like it"
        faults[-1] = DecodeFault(last.structure, more, last.chain, last.physical)
    return faults
