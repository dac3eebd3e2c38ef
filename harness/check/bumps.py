"""Bump allocators, at the moment at which they are in charge.

Their ranges are all the memory that may be given out, and nothing else. Below its cursor each
range holds what was taken; above it, nothing.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from harness.check.findings import Findings
from harness.check.in_charge import is_in_charge
from harness.check.model import ALLOCATABLE, FRAME_LIMIT, READY, Model
from harness.check.runs import FRAME_SIZE, Mask, outward, runs_by_key
from harness.check.taken import USED, why_in_words, why_taken
from harness.check.violation import Violation
from harness.decode.belief.frames import Bump, BumpRange
from harness.decode.state import MemoryState


def check_bumps(model: Model, state: MemoryState) -> tuple[Violation, ...]:
    """Report ranges and cursors that differ from what the model and the decoded structures say."""
    findings = Findings("bump")
    for bump in state.bumps:
        if is_in_charge(findings, model, state, bump) and _well_formed(findings, bump):
            _check_ranges(findings, model, bump)
            _check_cursors(findings, model, state, bump)
    return findings.result()


def _well_formed(findings: Findings, bump: Bump) -> bool:
    """Report a table that makes no sense: what it covers says nothing then."""
    good = True
    for index, one in enumerate(bump.ranges):
        if not one.start <= one.cursor <= one.end <= FRAME_LIMIT * FRAME_SIZE:
            message = f"{_in_words(bump, index, one)}: not in this order, or beyond 4 GiB"
            findings.add("region", message, ("V5",), one.start)
            good = False
    for index, (low, high) in enumerate(pairwise(bump.ranges), 1):
        if high.start < low.end:
            message = f"{_in_words(bump, index, high)}: begins before the one in front of it ends"
            findings.add("order", message, ("V4", "V5"), high.start)
            good = False
    return good


def _in_words(bump: Bump, index: int, one: BumpRange) -> str:
    place = f"start 0x{one.start:x}, cursor 0x{one.cursor:x}, end 0x{one.end:x}"
    return f"{bump.name}, region {index}: {place}"


def _check_ranges(findings: Findings, model: Model, bump: Bump) -> None:
    covered = _frames(model, [range(one.start, one.end) for one in bump.ranges])
    for first, end, key in runs_by_key(covered & (model.reason != ALLOCATABLE), model.reason):
        what, breaks = why_in_words(model, key)
        message = f"in a region of {bump.name}, but must not be: {what}"
        findings.add_frames("reserved", _run(model, first, end), message, breaks)
    missing = model.allocatable & ~covered
    findings.add_frames("missing", missing, f"usable, but in no region of {bump.name}", ("V3",))


def _check_cursors(findings: Findings, model: Model, state: MemoryState, bump: Bump) -> None:
    """A frame that is taken in part is taken: nobody else may have the rest."""
    taken = _frames(model, [range(one.start, one.cursor) for one in bump.ranges])
    free = _frames(model, [range(one.cursor, one.end) for one in bump.ranges]) & ~taken
    used = why_taken(model, state) == USED
    message = f"free in {bump.name}, but must not be: {why_in_words(model, USED)[0]}"
    findings.add_frames("free", free & used, message, why_in_words(model, USED)[1])
    if state.moment != READY:
        # Later anybody may have been given a frame, and a cursor does not say who.
        lost = taken & model.allocatable & ~used
        what = f"below a cursor of {bump.name}, but nothing that was decoded uses [it|them]"
        findings.add_frames("taken", lost, what, ("V3",))


def _frames(model: Model, parts: list[range]) -> Mask:
    """Return the frames that some bytes touch."""
    mask = np.zeros(model.frames, dtype=np.bool_)
    for part in parts:
        frames = outward(part)
        mask[frames.start : frames.stop] = True
    return mask


def _run(model: Model, first: int, end: int) -> Mask:
    mask = np.zeros(model.frames, dtype=np.bool_)
    mask[first:end] = True
    return mask
