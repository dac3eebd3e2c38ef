"""The frame table: what the kernel notes of each frame, against everything else."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from harness.check.blocks import Blocks
from harness.check.findings import Findings
from harness.check.ledger import RESERVED, Ledger, decoded_owners
from harness.check.model import ALLOCATABLE, IMAGE, Model
from harness.check.places import element_place
from harness.check.runs import Mask, runs_by_key
from harness.check.taken import boot_time_records
from harness.check.violation import Violation
from harness.decode.belief.frames import FrameTable
from harness.decode.state import MemoryState


@dataclass(frozen=True)
class _Subject:
    """A frame table with the model's and the lists' view of the same frames."""

    table: FrameTable
    model: Model
    state: MemoryState
    part: slice
    """The table's frames among the model's."""
    blocks: Blocks
    """Free blocks that begin within the table."""
    findings: Findings

    def notes(self, member: str) -> bool:
        """Return whether the kernel's frame table has this member of its description."""
        described = self.model.description.frame_table
        return described is not None and getattr(described, member) is not None

    def report(
        self, kind: str, mask: Mask, what: str, *breaks: str, member: str | None = None
    ) -> None:
        """Report the frames of a mask over the table's elements; ``member`` is what is wrong."""
        place = partial(element_place, self.table, member or kind)
        self.findings.add_frames(kind, mask, what, breaks, self.table.first_frame, place)

    def report_run(self, kind: str, elements: range, what: str, *breaks: str) -> None:
        """Report a run of the table's elements."""
        first = self.table.first_frame + elements.start
        one = np.ones(len(elements), dtype=np.bool_)
        place = partial(element_place, self.table, kind)
        self.findings.add_frames(kind, one, what, breaks, first, place)


def check_frame_table(
    model: Model, state: MemoryState, blocks: Blocks, ledger: Ledger
) -> tuple[Violation, ...]:
    """Report where the frame table contradicts the model, the free lists or the ledger.

    ``blocks`` are the free blocks that lie inside the model's frames.
    """
    table = state.frame_table
    if table is None:
        return ()
    end = table.first_frame + len(table)
    within = (blocks.starts >= table.first_frame) & (blocks.starts < end)
    findings = Findings("frame-table")
    part = slice(table.first_frame, end)
    subject = _Subject(table, model, state, part, blocks.where(within), findings)
    _check_extent(subject)
    if state.free_lists and subject.notes("free"):
        _check_heads(subject)
    if state.free_lists and subject.notes("order"):
        _check_orders(subject)
    if ledger.complete and subject.notes("users"):
        _check_users(subject, ledger)
    if subject.notes("zone") and subject.model.description.zones:
        _check_zones(subject)
    if subject.notes("reserved"):
        _check_reserved(subject)
    _check_owners(subject, ledger)
    return findings.result()


def _check_extent(subject: _Subject) -> None:
    uncovered = subject.model.allocatable
    uncovered[subject.part] = False
    what = "usable, but beyond the frame table"
    subject.findings.add_frames("extent", uncovered, what, ("V3",))


def _check_heads(subject: _Subject) -> None:
    table = subject.table
    index = subject.blocks.starts - table.first_frame
    listed = np.zeros(len(table), dtype=np.bool_)
    listed[index] = True
    unlisted = table.free & ~listed
    unmarked = listed & ~table.free
    subject.report(
        "unlisted", unlisted, "marked as free, but on no free list", "V3", "V5", member="free"
    )
    subject.report(
        "unmarked", unmarked, "on a free list, but not marked as free", "V4", "V5", member="free"
    )


def _check_orders(subject: _Subject) -> None:
    table, blocks = subject.table, subject.blocks
    noted = table.order[blocks.starts - table.first_frame]
    wrong = noted != blocks.orders
    if not wrong.any():
        return
    listed, marked = np.zeros((2, len(table)), dtype=np.int64)
    index = blocks.starts[wrong] - table.first_frame
    marked[index], listed[index] = 1, blocks.orders[wrong]
    for start, end, key in runs_by_key(marked == 1, listed << 8 | table.order):
        what = f"on a free list of order {key >> 8}, but noted with order {key & 0xFF}"
        subject.report_run("order", range(start, end), what, "V5")


def _check_users(subject: _Subject, ledger: Ledger) -> None:
    used = subject.table.users > 0
    free = ledger.free[subject.part]
    subject.report("users", used & free, "free, but noted with users", "V4", "V6")
    subject.report("users", ~used & ~free, "not free, but noted without users", "V3", "V6")
    _check_single_users(subject, ledger)


def _check_single_users(subject: _Subject, ledger: Ledger) -> None:
    """A frame that the allocator gave to one owner has one user, who gives it back."""
    users = subject.table.users
    several = users > 1
    if not several.any():
        return
    owners = ledger.owners[subject.part]
    single = (owners != 0) & (owners & (owners - np.uint32(1)) == 0)
    given = single & ~ledger.free[subject.part] & ~ledger.owned_by(RESERVED)[subject.part]
    for start, end, key in runs_by_key(several & given, users):
        what = f"noted with {key} users, but [has|have] one owner"
        subject.report_run("users", range(start, end), what, "V4", "V6")


def _check_zones(subject: _Subject) -> None:
    table = subject.table
    right = subject.model.zone_indices()[subject.part]
    if np.array_equal(table.zone, right):
        return
    model, keys = subject.model, right.astype(np.uint16) << 8 | table.zone
    for start, end, key in runs_by_key(table.zone != right, keys):
        names = model.zone_name(key >> 8), model.zone_name(key & 0xFF)
        what = f"in zone {names[0]}, but noted in {names[1]}"
        subject.report_run("zone", range(start, end), what, "V5")


def _check_reserved(subject: _Subject) -> None:
    expected = subject.model.reason[subject.part] != ALLOCATABLE
    expected |= _boot_time_records(subject)
    reserved = subject.table.reserved
    if np.array_equal(reserved, expected):
        return
    missing = expected & ~reserved
    subject.report("reserved", missing, "not marked as reserved, but must be", "V1", "V2")
    what = "marked as reserved without a reason: lost to the allocator"
    subject.report("reserved", reserved & ~expected, what, "V3")


def _boot_time_records(subject: _Subject) -> Mask:
    records: Mask = boot_time_records(subject.model, subject.state)[subject.part]
    return records


def _check_owners(subject: _Subject, ledger: Ledger) -> None:
    """Compare marks with what was found; the image's own tables and records need none."""
    decoded = decoded_owners(subject.state)
    ours = subject.model.reason[subject.part] != IMAGE
    ours &= ~_boot_time_records(subject)
    for name, marked in subject.table.owners.items():
        if name not in decoded:
            continue
        found = _found(ledger, decoded[name], subject.part)
        if np.array_equal(marked, found):
            continue
        strays = marked & ~found & ours
        what = f"marked as {name}, but nothing decoded uses [it|them] as that"
        subject.report("owner", strays, what, "V3", "V5", member=name)
        unmarked = found & ~marked & ours
        what = f"used as {name}, but not marked as that"
        subject.report("owner", unmarked, what, "V4", "V5", member=name)


def _found(ledger: Ledger, names: tuple[str, ...], part: slice) -> npt.NDArray[np.bool_]:
    found = ledger.owned_by(names[0]).copy()
    for name in names[1:]:
        found |= ledger.owned_by(name)
    return found[part]
