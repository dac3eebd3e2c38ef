"""Bitmaps over frames, at the moment at which they are in charge."""

from __future__ import annotations

import numpy as np

from harness.check.findings import Findings
from harness.check.in_charge import is_in_charge
from harness.check.model import ALLOCATABLE, READY, Model
from harness.check.runs import Mask, runs_by_key
from harness.check.taken import why_in_words, why_taken
from harness.check.violation import Violation
from harness.decode.state import Bitmap, MemoryState


def check_bitmaps(model: Model, state: MemoryState) -> tuple[Violation, ...]:
    """Report bits that differ from what the model and the decoded structures say."""
    findings = Findings("bitmap")
    for bitmap in state.bitmaps:
        if is_in_charge(findings, model, state, bitmap):
            _check_bits(findings, model, state, bitmap)
    return findings.result()


def _check_bits(findings: Findings, model: Model, state: MemoryState, bitmap: Bitmap) -> None:
    count = len(bitmap.taken)
    why = why_taken(model, state)[bitmap.first_frame : bitmap.first_frame + count]
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
    what, breaks = why_in_words(model, key)
    message = f"free in {bitmap.name}, but must not be: {what}"
    findings.add_frames("free", mask, message, breaks, bitmap.first_frame)


def _check_counts(findings: Findings, bitmap: Bitmap) -> None:
    free = int(np.count_nonzero(~bitmap.taken))
    if bitmap.free_count is not None and bitmap.free_count != free:
        message = f"{bitmap.name} counts {bitmap.free_count} free frames, but {free} bits say free"
        findings.add("counter", message, ("V6",))
    if not bitmap.padding_taken:
        message = f"{bitmap.name}: bits behind the last frame say free"
        findings.add("padding", message, ("V1", "V5"))
