"""Bitmaps over frames, at the moment at which they are in charge.

Before the kernel is ready each bit follows from the model and the decoded records. Once it is, the
bitmap is the frame allocator: anybody may have been given a frame, and the ledger compares its free
frames with everybody's.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from harness.check.findings import Findings
from harness.check.in_charge import is_in_charge
from harness.check.model import ALLOCATABLE, READY, Model
from harness.check.places import bit_place, physical_at
from harness.check.runs import runs_by_key
from harness.check.taken import boot_time_records, why_in_words, why_taken
from harness.check.violation import Violation
from harness.decode.belief.frames import Bitmap
from harness.decode.state import MemoryState


def check_bitmaps(model: Model, state: MemoryState) -> tuple[Violation, ...]:
    """Report bits that differ from what the model and the decoded structures say."""
    findings = Findings("bitmap")
    for bitmap in state.bitmaps:
        if is_in_charge(findings, model, state, bitmap):
            if state.moment != READY:
                _check_bits(findings, model, state, bitmap)
            _check_extent(findings, model, bitmap)
            _check_counts(findings, state, bitmap)
            _check_reserved(findings, model, state, bitmap)
            _check_cursor(findings, bitmap)
    return findings.result()


def _check_bits(findings: Findings, model: Model, state: MemoryState, bitmap: Bitmap) -> None:
    why = why_taken(model, state)[_part(bitmap)]
    must = why != ALLOCATABLE
    place = partial(bit_place, state, bitmap, "words")
    for start, end, key in runs_by_key(must & ~bitmap.taken, why):
        one = np.zeros(len(why), dtype=np.bool_)
        one[start:end] = True
        reason, breaks = why_in_words(model, key)
        message = f"free in {bitmap.name}, but must not be: {reason}"
        findings.add_frames("free", one, message, breaks, bitmap.first_frame, place)
    what = f"taken in {bitmap.name}, but nothing that was decoded uses [it|them]"
    findings.add_frames("taken", bitmap.taken & ~must, what, ("V3",), bitmap.first_frame, place)


def _part(bitmap: Bitmap) -> slice:
    """Return the bitmap's frames among all."""
    return slice(bitmap.first_frame, bitmap.first_frame + len(bitmap.taken))


def _check_extent(findings: Findings, model: Model, bitmap: Bitmap) -> None:
    beyond = model.allocatable
    beyond[_part(bitmap)] = False
    findings.add_frames("extent", beyond, f"usable, but beyond {bitmap.name}", ("V3",))


def _check_counts(findings: Findings, state: MemoryState, bitmap: Bitmap) -> None:
    free = int(np.count_nonzero(~bitmap.taken))
    if bitmap.free_count is not None and bitmap.free_count != free:
        message = f"{bitmap.name} counts {bitmap.free_count} free frames, but {free} bits say free"
        word = physical_at(state.page_tables, bitmap.places.get("free_count"))
        findings.add("counter", message, ("V6",), word=word)
    if not bitmap.padding_taken:
        message = f"{bitmap.name}: bits behind the last frame say free"
        findings.add("padding", message, ("V1", "V5"))


def _check_reserved(findings: Findings, model: Model, state: MemoryState, bitmap: Bitmap) -> None:
    """The frames that are never given out: what the model forbids, and records of the boot."""
    if bitmap.reserved is None:
        return
    must = (model.reason != ALLOCATABLE) | boot_time_records(model, state)
    must = must[_part(bitmap)]
    first, place = bitmap.first_frame, partial(bit_place, state, bitmap, "reserved")
    what = f"managed by {bitmap.name}, but must never be given out"
    findings.add_frames("managed", must & ~bitmap.reserved, what, ("V1", "V2"), first, place)
    what = f"never given out by {bitmap.name}, without a reason: lost to it"
    findings.add_frames("reserved", bitmap.reserved & ~must, what, ("V3",), first, place)
    managed = int(np.count_nonzero(~bitmap.reserved))
    if bitmap.managed_count is not None and bitmap.managed_count != managed:
        message = f"{bitmap.name} counts {bitmap.managed_count} managed frames, but has {managed}"
        word = physical_at(state.page_tables, bitmap.places.get("managed"))
        findings.add("managed-counter", message, ("V6",), word=word)


def _check_cursor(findings: Findings, bitmap: Bitmap) -> None:
    end = bitmap.first_frame + len(bitmap.taken)
    if bitmap.cursor is not None and not bitmap.first_frame <= bitmap.cursor <= end:
        message = f"{bitmap.name} goes on at frame 0x{bitmap.cursor:x}, beyond its last one"
        findings.add("cursor", message, ("V5", "V11"))
