"""The pair bitmap of a buddy allocator, against its free lists and the model.

Each bit says whether exactly one of two buddies is free. What the lists say decides.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from harness.check.findings import LIMIT, Findings
from harness.check.free_lists import handed_over
from harness.check.model import Model
from harness.check.runs import FRAME_SIZE, Mask
from harness.check.violation import Violation
from harness.decode.belief.frames import FreeLists, PairMap, PairZone
from harness.decode.state import MemoryState


def check_pair_maps(model: Model, state: MemoryState) -> tuple[Violation, ...]:
    """Report wrong bits, zones that do not fit memory, and frames wrongly noted as managed."""
    findings = Findings("pair-map")
    for pair_map in state.pair_maps:
        managed = handed_over(model, state)
        _check_managed(findings, pair_map, managed)
        for zone, found in enumerate(pair_map.zones):
            if zone >= len(model.zones):
                continue
            _check_extent(findings, model, zone, found, managed)
            for free_lists in state.free_lists:
                if free_lists.name == pair_map.name:
                    _check_orders(findings, model, zone, found, free_lists)
                    _check_bits(findings, model, zone, found, free_lists)
    return findings.result()


def _check_managed(findings: Findings, pair_map: PairMap, expected: Mask) -> None:
    if pair_map.managed is None:
        return
    noted = np.zeros(max(len(expected), len(pair_map.managed)), dtype=np.bool_)
    noted[: len(pair_map.managed)] = pair_map.managed
    right = np.zeros(len(noted), dtype=np.bool_)
    right[: len(expected)] = expected
    name = pair_map.name
    missing = f"to be handed over, but {name} does not note that [it was|they were]"
    findings.add_frames("unmanaged", right & ~noted, missing, ("V3", "V6"))
    extra = f"noted by {name} as handed over, but may not be handed out"
    findings.add_frames("managed", noted & ~right, extra, ("V1", "V2"))


def _check_extent(
    findings: Findings, model: Model, zone: int, found: PairZone, managed: Mask
) -> None:
    """All that is managed is covered, nothing of another zone is; no block is larger than that."""
    frames = model.zones[zone].frames
    start, end = found.base // FRAME_SIZE, (found.base + found.size) // FRAME_SIZE
    used = np.flatnonzero(managed[frames.start : frames.stop]) + frames.start
    name = f"the pair map of zone {model.zone_name(zone)}"
    if found.base % (FRAME_SIZE << found.max_order) or found.size % FRAME_SIZE:
        message = f"{name} begins at physical 0x{found.base:x}, no multiple of its largest block"
        findings.add("alignment", message, ("V5", "V11"), found.base)
    if start < frames.start or (found.size and end > frames.stop):
        message = f"{name} covers physical {_bytes(found)}, and that is not all in the zone"
        findings.add("extent", message, ("V1", "V5"), found.base)
    if len(used) and not start <= used[0] <= used[-1] < end:
        message = f"{name} covers physical {_bytes(found)}, which is not all that is to be managed"
        findings.add("extent", message, ("V3", "V5"), found.base)


def _bytes(found: PairZone) -> str:
    return f"0x{found.base:x}-0x{found.base + max(found.size, 1) - 1:x} ({found.size} bytes)"


def _check_orders(
    findings: Findings, model: Model, zone: int, found: PairZone, free_lists: FreeLists
) -> None:
    """The largest order is the largest that there is a list for, and that fits."""
    orders = [one.order for one in free_lists.lists if one.zone == zone]
    frames = found.size // FRAME_SIZE
    fitting = max((order for order in orders if 1 << order <= frames), default=0)
    if found.max_order != fitting:
        message = (
            f"the largest order of the pair map of zone {model.zone_name(zone)} is "
            f"{found.max_order}, but {found.size} bytes have room for order {fitting}"
        )
        findings.add("order", message, ("V3", "V5"), found.base)


def _check_bits(
    findings: Findings, model: Model, zone: int, found: PairZone, free_lists: FreeLists
) -> None:
    for one in free_lists.lists:
        if one.zone == zone and one.order < len(found.pairs):
            bits = found.pairs[one.order]
            free = _free_halves(found, one.order, one.frames, len(bits))
            wrong = np.flatnonzero(bits != (free % 2 == 1))
            for pair in wrong[: LIMIT + 1].tolist():
                _report_bit(findings, model, zone, found, one.order, pair, int(free[pair]))


def _free_halves(
    found: PairZone, order: int, frames: npt.NDArray[np.int64], pairs: int
) -> npt.NDArray[np.int64]:
    """Return how many free blocks each pair has."""
    index = (frames - found.base // FRAME_SIZE) >> (order + 1)
    inside = (index >= 0) & (index < pairs)
    return np.bincount(index[inside], minlength=pairs)


def _report_bit(
    findings: Findings, model: Model, zone: int, found: PairZone, order: int, pair: int, free: int
) -> None:
    low = found.base // FRAME_SIZE + (pair << (order + 1))
    how_many = {0: "neither", 1: "one", 2: "both"}.get(free, str(free))
    message = (
        f"the bit of the buddies of order {order} at frames 0x{low:x} and 0x{low + (1 << order):x} "
        f"in zone {model.zone_name(zone)} is {int(found.pairs[order][pair])}, "
        f"but {how_many} of the two {'is' if free < 2 else 'are'} on the list"
    )
    findings.add("bit", message, ("V5", "V6"), low * FRAME_SIZE)
