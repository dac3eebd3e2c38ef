"""Bitmaps over frames, at the moment at which they are in charge."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from harness.check.findings import Findings
from harness.check.model import ALLOCATABLE, READY, Model
from harness.check.runs import FRAME_SIZE, Mask, outward, runs_by_key
from harness.check.violation import Violation
from harness.decode.state import Bitmap, MemoryState

_USED = 0xFFFF
"""Key of a frame that the memory manager itself has taken; no reason of a model is that large."""


def check_bitmaps(model: Model, state: MemoryState) -> tuple[Violation, ...]:
    """Report bits that differ from what the model and the decoded structures say."""
    findings = Findings("bitmap")
    for bitmap in state.bitmaps:
        described = _moment(model, bitmap)
        if bitmap.gone and state.moment == described:
            message = f"{bitmap.name} is already gone at the moment {described!r}"
            findings.add("gone", message, ("V5",))
        elif bitmap.gone:
            continue
        elif state.moment == READY != described:
            message = f"{bitmap.name} has been handed over, but its pointer still stands"
            findings.add("not-gone", message, ("V4",))
        else:
            _check_bits(findings, model, state, bitmap)
    return findings.result()


def _moment(model: Model, bitmap: Bitmap) -> str:
    moments = {found.name: found.moment for found in model.description.bitmaps}
    return moments.get(bitmap.name, READY)


def _check_bits(findings: Findings, model: Model, state: MemoryState, bitmap: Bitmap) -> None:
    count = len(bitmap.taken)
    why = _why_taken(model, state)[bitmap.first_frame : bitmap.first_frame + count]
    must = why != ALLOCATABLE
    for start, end, key in runs_by_key(must & ~bitmap.taken, why):
        one = np.zeros(count, dtype=np.bool_)
        one[start:end] = True
        _report_free(findings, model, bitmap, one, key)
    if state.moment != READY:
        # Later anybody may have been given a frame, and a bitmap does not say who.
        what = f"taken in {bitmap.name}, but nothing that was decoded uses [it|them]"
        findings.add_frames("taken", bitmap.taken & ~must, what, ("V3",), bitmap.first_frame)
    beyond = model.allocatable
    beyond[bitmap.first_frame : bitmap.first_frame + count] = False
    findings.add_frames("extent", beyond, f"usable, but beyond {bitmap.name}", ("V3",))
    _check_counts(findings, bitmap)


def _report_free(findings: Findings, model: Model, bitmap: Bitmap, mask: Mask, key: int) -> None:
    if key == _USED:
        what, breaks = "the memory manager's own", ("V2", "V4")
    else:
        what, breaks = model.reasons[key], ("V1", "V2")
    message = f"free in {bitmap.name}, but must not be: {what}"
    findings.add_frames("free", mask, message, breaks, bitmap.first_frame)


def _why_taken(model: Model, state: MemoryState) -> npt.NDArray[np.uint16]:
    """Return for each frame why its bit must say taken; 0 if it must say free."""
    why = model.reason.copy()
    storage = [found for record in state.metadata for found in record.storage]
    storage += [found for bitmap in state.bitmaps for found in bitmap.storage]
    parts = [outward(found) for found in storage]
    tables = (state.page_tables.tables // FRAME_SIZE).astype(np.int64).tolist()
    for frames in (*parts, *(range(table, table + 1) for table in tables)):
        part = why[frames.start : frames.stop]
        part[part == ALLOCATABLE] = _USED
    return why


def _check_counts(findings: Findings, bitmap: Bitmap) -> None:
    free = int(np.count_nonzero(~bitmap.taken))
    if bitmap.free_count is not None and bitmap.free_count != free:
        message = f"{bitmap.name} counts {bitmap.free_count} free frames, but {free} bits say free"
        findings.add("counter", message, ("V6",))
    if not bitmap.padding_taken:
        message = f"{bitmap.name}: bits behind the last frame say free"
        findings.add("padding", message, ("V1", "V5"))
