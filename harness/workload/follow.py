"""Following a tape with the allocators' policies: what must each operation return?"""

from __future__ import annotations

from dataclasses import dataclass

from harness.workload.model import Model
from harness.workload.operation import Operations, Results


@dataclass(frozen=True)
class Differs:
    """The first operation that returned something else than the policy says."""

    position: int
    expected: int
    """What is right: an address, 0 for a failure."""


def follow(operations: Operations, results: Results, model: Model) -> Differs | None:
    """Return the first operation that did not give what the policies say; None when all did.

    Where results are first other than they must be the policies say nothing any more.
    """
    live: dict[int, int] = {}
    gives, takes, says = model.gives, model.takes, model.says
    columns = (operations[name].tolist() for name in ("kind", "flags", "cache", "slot", "size"))
    rows = zip(*columns, results["value"].tolist(), strict=True)
    for position, (kind, flags, cache, slot, size, value) in enumerate(rows):
        if kind in takes:
            address = live.pop(slot, 0)
            if address:
                takes[kind](address, size, cache)
            continue
        if kind in gives:
            expected = gives[kind](flags, size, cache)
        else:
            expected = says[kind](size, cache, live.get(slot, 0))
        if expected != value:
            return Differs(position, expected)
        if value and kind in gives:
            live[slot] = value
    return None
