"""``walk``: one virtual address, translated level by level."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from dataclasses import asdict

from harness.check.known_virtual import rights_in_words
from harness.check.observation import Observation
from harness.decode.entry_bits import EntryBits, entry_bits
from harness.decode.page_walk import Step, Walk, walk
from harness.decode.paging_modes import PagingMode, paging_mode
from harness.report.units import size
from harness.report.views.view import Answer, View, address_argument, address_of


def show_walk(seen: Observation, options: Namespace) -> Answer:
    """Return each entry on the way down, and where it ends or why it does not get there."""
    found = walk(seen.guest.ram, seen.control, address_of(seen, options.address))
    mode = paging_mode(seen.control)
    if mode is None:
        text = f"virtual {found.virtual:#010x}: paging is off (CR0.PG = 0), so it is physical too"
        return Answer(text, {**asdict(found), "mode": "none"})
    entries = [_taken_apart(mode, step) for step in found.steps]
    heading = (
        f"virtual {found.virtual:#010x} by {mode.name} paging, "
        f"root at physical {seen.control.cr3 & mode.root:#010x}"
    )
    lines = [heading]
    for step, entry in zip(found.steps, entries, strict=True):
        lines += _entry_lines(mode, step, entry)
    lines += _end(found)
    json = {**asdict(found), "mode": mode.name, "entries": [asdict(entry) for entry in entries]}
    return Answer("\n".join(lines), json)


def _taken_apart(mode: PagingMode, step: Step) -> EntryBits:
    level = next(level for level in mode.levels if level.number == step.level)
    return entry_bits(mode, level, step.entry)


def _entry_lines(mode: PagingMode, step: Step, entry: EntryBits) -> Iterator[str]:
    leads = (
        f"  {'page' if entry.page else 'table'} at {entry.target:#010x}" if entry.present else ""
    )
    digits = 2 * mode.entry_size + 2
    yield f"  {entry.name:<5} at physical {step.address:#010x}: {step.entry:#0{digits}x}{leads}"
    named = (
        f"{bits.name}={bits.value}" if bits.width <= 3 else f"{bits.name}={bits.value:#x}"
        for bits in entry.bits
    )
    yield f"        {' '.join(named)}"
    if entry.reserved:
        yield f"        reserved, but set: {entry.reserved}"


def _end(found: Walk) -> Iterator[str]:
    if found.fault is not None:
        yield f"  ends here: {found.fault.reason}"
        return
    yield f"  rights: {rights_in_words(found.writable, found.executable, found.user)}"
    yield f"  physical {found.physical:#010x}, in a page of {size(found.page_size)}"


WALK = View(
    name="walk",
    summary="Translate a virtual address entry by entry, with each bit named.",
    details="Rights are the effective ones: what every level grants.",
    show=show_walk,
    declare=address_argument,
    takes_address=True,
)
