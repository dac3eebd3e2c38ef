"""What is remarkable about a boot, in words that can be counted: a case that shows a new one stays.

Numbers come in powers of two, so that one more of the same is nothing new.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from harness.check.inspect import Inspection
from harness.check.verdict import Verdict
from harness.workload.operation import FAULT, Kind, Operations
from harness.workload.verify import TapeVerdict


def features(verdict: Verdict, inspection: Inspection | None) -> frozenset[str]:
    """Return what is remarkable about a boot that was judged."""
    found = {f"ended {verdict.ended}"}
    if verdict.refusal is not None:
        found.add("refused: " + "".join(c for c in verdict.refusal if not c.isdigit()))
    if inspection is not None:
        found.update(_of_state(inspection))
    return frozenset(found)


def tape_features(operations: Operations, verdict: TapeVerdict) -> frozenset[str]:
    """Return what is remarkable about a tape that was run to its end, and about what it left."""
    found = {f"left {feature}" for feature in _of_state(verdict.after)}
    outcomes = zip(operations["kind"].tolist(), verdict.results["value"].tolist(), strict=True)
    found.update(f"{Kind(kind).name.lower()} {_outcome(value)}" for kind, value in outcomes)
    return frozenset(found)


def _outcome(value: int) -> str:
    return "gave nothing" if value == 0 else "failed" if value == FAULT else "gave something"


def _of_state(inspection: Inspection) -> Iterator[str]:
    state, model = inspection.state, inspection.model
    regions = state.firmware_map or ()
    yield _about("usable regions", sum(region.usable for region in regions))
    yield _about("other regions", sum(not region.usable for region in regions))
    yield _about("entries", model.entries)
    yield _about("holes", int(np.count_nonzero(np.diff(model.usable.astype(np.int8)) == 1)))
    yield _about("tables", len(state.page_tables.tables))
    for name in inspection.summary.lost:
        yield f"lost to {name}"
    for lists in state.free_lists:
        for one in lists.lists:
            if len(one.frames):
                yield _about(f"{lists.name} zone {one.zone} order {one.order}", len(one.frames))
    for bump in state.bumps:
        yield _about(f"ranges of {bump.name}", len(bump.ranges))
    for bitmap in state.bitmaps:
        free = np.diff(bitmap.taken.astype(np.int8)) == -1
        yield _about(f"free runs of {bitmap.name}", int(np.count_nonzero(free)))


def _about(what: str, count: int) -> str:
    return f"{what}: 2^{count.bit_length()}"
