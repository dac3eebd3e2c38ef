"""Free lists: whole blocks, in the right place, counted right."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from harness.check.blocks import Blocks
from harness.check.findings import Findings
from harness.check.model import ALLOCATABLE, Model
from harness.check.places import physical_at
from harness.check.runs import FRAME_SIZE, in_number, outward
from harness.check.violation import Violation
from harness.decode.belief.frames import FreeLists
from harness.decode.state import MemoryState

_NO_BLOCK = 255
"""Stands where no free block begins; no order is that large."""


def check_free_lists(model: Model, state: MemoryState, blocks: Blocks) -> tuple[Violation, ...]:
    """Report malformed blocks and wrong counters; ``blocks`` are all of them, inside or not."""
    findings = Findings("free-lists")
    if not state.free_lists:
        return ()
    _check_outside(findings, model, blocks)
    inside = blocks.where(blocks.inside)
    _check_alignment(findings, model, inside)
    if model.description.zones:  # which frames are in which zone
        _check_zones(findings, model, inside)
    _check_overlap(findings, inside)
    for free_lists in state.free_lists:
        own = Blocks.of((free_lists,), blocks.span)
        if free_lists.merged:
            top = max((found.order for found in free_lists.lists), default=0)
            _check_merged(findings, model, own.where(own.inside), top)
        _check_list_counters(findings, model, state, free_lists)
        _check_zone_counters(findings, model, state, free_lists)
    return findings.result()


def _check_outside(findings: Findings, model: Model, blocks: Blocks) -> None:
    _report_blocks(
        findings,
        model,
        "outside",
        blocks.where(~blocks.inside),
        "lies beyond the last frame that there is",
        ("V1", "V5"),
    )


def _check_alignment(findings: Findings, model: Model, blocks: Blocks) -> None:
    misaligned = (blocks.starts & ((np.int64(1) << blocks.orders) - 1)) != 0
    chosen = blocks.where(misaligned)
    what = "is not aligned to its size"
    _report_blocks(findings, model, "alignment", chosen, what, ("V5", "V11"))


def _check_zones(findings: Findings, model: Model, blocks: Blocks) -> None:
    first, last = model.zone_of(blocks.starts), model.zone_of(blocks.ends - 1)
    crossing = blocks.where(first != last)
    what = "crosses the border of a zone"
    _report_blocks(findings, model, "crosses-zones", crossing, what, ("V5",))
    wrong = (first == last) & (first != blocks.zones)
    strays = zip(first[wrong].tolist(), _rows(blocks.where(wrong)), strict=True)
    for right, (start, order, zone) in strays:
        message = (
            f"{_block(start, order)} is on a list of zone {model.zone_name(zone)}, "
            f"but lies in zone {model.zone_name(right)}"
        )
        findings.add("zone", message, ("V5",), start * FRAME_SIZE)


def _check_overlap(findings: Findings, blocks: Blocks) -> None:
    if len(blocks.starts):
        twice = blocks.cover > 1
        findings.add_frames("overlap", twice, "in more than one free block", ("V4",))


def _check_merged(findings: Findings, model: Model, blocks: Blocks, top: int) -> None:
    """Buddies of the highest order stay apart; all others must have become one block."""
    order = np.full(blocks.span, _NO_BLOCK, dtype=np.uint8)
    zone = np.zeros(blocks.span, dtype=np.uint8)
    order[blocks.starts], zone[blocks.starts] = blocks.orders, blocks.zones
    buddies = blocks.starts | (np.int64(1) << blocks.orders)
    known = (buddies != blocks.starts) & (buddies < blocks.span) & (blocks.orders < top)
    lower = blocks.where(known)
    upper = buddies[known]
    both = (order[upper] == lower.orders) & (zone[upper] == lower.zones)
    what = "is free and so is its buddy: not merged"
    _report_blocks(findings, model, "unmerged", lower.where(both), what, ("V5",))


def _report_blocks(
    findings: Findings,
    model: Model,
    kind: str,
    blocks: Blocks,
    what: str,
    breaks: tuple[str, ...],
) -> None:
    for start, order, zone in _rows(blocks):
        message = f"{_block(start, order)} on a list of zone {model.zone_name(zone)} {what}"
        findings.add(kind, message, breaks, start * FRAME_SIZE)


def _rows(blocks: Blocks) -> list[tuple[int, int, int]]:
    columns = (blocks.starts.tolist(), blocks.orders.tolist(), blocks.zones.tolist())
    return list(zip(*columns, strict=True))


def _block(start: int, order: int) -> str:
    return f"the free block at frame 0x{start:x} (physical 0x{start * FRAME_SIZE:x}, order {order})"


def _check_list_counters(
    findings: Findings, model: Model, state: MemoryState, free_lists: FreeLists
) -> None:
    for found in free_lists.lists:
        if found.count is not None and found.count != len(found.frames):
            message = (
                f"the counter of {free_lists.name}'s free blocks of order {found.order} in zone "
                f"{model.zone_name(found.zone)} says {found.count}, "
                f"but {len(found.frames)} [is|are] on the list"
            )
            message = in_number(message, one=len(found.frames) == 1)
            word = physical_at(state.page_tables, found.count_at)
            findings.add("blocks-counter", message, ("V6",), word=word)


def _check_zone_counters(
    findings: Findings, model: Model, state: MemoryState, free_lists: FreeLists
) -> None:
    listed: dict[int, int] = {}
    for found in free_lists.lists:
        listed[found.zone] = listed.get(found.zone, 0) + (len(found.frames) << found.order)
    for zone, count in free_lists.free_frames.items():
        if count != listed.get(zone, 0):
            message = (
                f"the counter of {free_lists.name}'s free frames in zone {model.zone_name(zone)} "
                f"says {count}, but {listed.get(zone, 0)} are on its lists"
            )
            word = physical_at(state.page_tables, free_lists.places.get(("frames", zone)))
            findings.add("frames-counter", message, ("V6",), word=word)
    expected = managed_frames(model, state) if free_lists.managed_frames else ()
    for zone, count in free_lists.managed_frames.items():
        right = expected[zone] if zone < len(expected) else 0
        if count != right:
            message = (
                f"{free_lists.name} says that it manages {count} frames in zone "
                f"{model.zone_name(zone)}, but {right} may be handed out there"
            )
            word = physical_at(state.page_tables, free_lists.places.get(("managed", zone)))
            findings.add("managed-counter", message, ("V3", "V6"), word=word)


def managed_frames(model: Model, state: MemoryState) -> tuple[int, ...]:
    """Return for each zone how many frames a frame allocator must have been given."""
    managed = handed_over(model, state)
    parts = (managed[zone.frames.start : zone.frames.stop] for zone in model.zones)
    return tuple(int(np.count_nonzero(part)) for part in parts)


def handed_over(model: Model, state: MemoryState) -> npt.NDArray[np.bool_]:
    """Return which frames a frame allocator must have been given.

    These are the frames that may be handed out, without those that the memory manager took for
    its own records before there was a frame allocator.
    """
    managed: npt.NDArray[np.bool_] = model.reason == ALLOCATABLE
    for record in state.metadata:
        if record.owner is None:
            for storage in record.storage:
                frames = outward(storage)
                managed[frames.start : frames.stop] = False
    return managed
