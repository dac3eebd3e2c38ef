"""What has changed in who has which physical memory: allocators of frames, and their records."""

from __future__ import annotations

import numpy as np

from harness.check.blocks import Blocks
from harness.check.changes import Changes, from_frame_zero, widened
from harness.check.model import FRAME_LIMIT
from harness.check.runs import Mask
from harness.decode.belief.frames import Bitmap, Bump, FreeLists, Held, PairMap
from harness.decode.state import MemoryState

TABLE = "frame table"


def note_frames(changes: Changes, before: MemoryState, now: MemoryState) -> None:
    """Note what has changed about frames."""
    if before.firmware_map != now.firmware_map:
        changes.add("firmware map", "the kernel's table of regions is another one")
    for name, old_bitmap, new_bitmap in changes.pairs("bitmap", before.bitmaps, now.bitmaps):
        _note_bitmap(changes, name, old_bitmap, new_bitmap)
    for name, old_bump, new_bump in changes.pairs("bump allocator", before.bumps, now.bumps):
        _note_bump(changes, name, old_bump, new_bump)
    for name, old, new in changes.pairs("free lists", before.free_lists, now.free_lists):
        _note_free_lists(changes, name, old, new)
    for name, old_map, new_map in changes.pairs("pair map", before.pair_maps, now.pair_maps):
        _note_pair_map(changes, name, old_map, new_map)
    _note_frame_table(changes, before, now)
    held = "held by callers of the frame interface"
    changes.add_flags(
        "held frames", _held(before.held), _held(now.held), f"{held} now", f"no longer {held}"
    )
    for name, was, is_now in changes.pairs("metadata", before.metadata, now.metadata):
        changes.add_value(name, "physical bytes", _places(was.storage), _places(is_now.storage))


def _note_bitmap(changes: Changes, name: str, before: Bitmap, now: Bitmap) -> None:
    if (before.gone, before.chosen) != (now.gone, now.chosen):
        words = "is in use now" if now.chosen and not now.gone else "is no longer in use"
        changes.add(name, words)
        return
    changes.add_flags(name, _taken(before), _taken(now), "taken now", "free now")
    was, is_now = _noted(before, before.reserved), _noted(now, now.reserved)
    changes.add_flags(name, was, is_now, "reserved now", "no longer reserved")
    for what, old, new in (
        ("free frames by the kernel's count", before.free_count, now.free_count),
        ("managed frames by the kernel's count", before.managed_count, now.managed_count),
        ("frame behind which the next search begins", before.cursor, now.cursor),
    ):
        changes.add_value(name, what, old, new)


def _taken(bitmap: Bitmap) -> Mask:
    return from_frame_zero(bitmap.taken, bitmap.first_frame)


def _noted(bitmap: Bitmap, mask: Mask | None) -> Mask:
    return _none() if mask is None else from_frame_zero(mask, bitmap.first_frame)


def _none() -> Mask:
    return np.zeros(0, dtype=np.bool_)


def _held(held: Held | None) -> Mask:
    return _none() if held is None else held.taken


def _note_bump(changes: Changes, name: str, before: Bump, now: Bump) -> None:
    old, new = ({one.start: one for one in bump.ranges} for bump in (before, now))
    for start in sorted(old.keys() | new.keys()):
        place = f"the range at physical 0x{start:x}"
        if start not in new or start not in old:
            changes.add(name, f"{place} {'came' if start in new else 'went'}")
            continue
        was, is_now = old[start], new[start]
        changes.add_value(name, f"end of {place}", hex(was.end), hex(is_now.end))
        if given := is_now.cursor - was.cursor:
            verb = "given out" if given > 0 else "taken back"
            changes.add(name, f"{abs(given)} bytes of {place} {verb}")


def _note_free_lists(changes: Changes, name: str, before: FreeLists, now: FreeLists) -> None:
    changes.add_flags(name, _free(before), _free(now), "free now", "no longer free")
    old, new = (
        {(one.zone, one.order): len(one.frames) for one in lists.lists} for lists in (before, now)
    )
    for zone, order in sorted(old.keys() | new.keys()):
        what = f"blocks of order {order} in zone {zone}"
        changes.add_value(name, what, old.get((zone, order), 0), new.get((zone, order), 0))
    for what, counted, counts in (
        ("free", before.free_frames, now.free_frames),
        ("managed", before.managed_frames, now.managed_frames),
    ):
        for zone in sorted(counted.keys() | counts.keys()):
            text = f"{what} frames of zone {zone} by the kernel's count"
            changes.add_value(name, text, counted.get(zone), counts.get(zone))


def _free(lists: FreeLists) -> Mask:
    """Return the frames that are in a free block; blocks out of bounds do not count."""
    blocks = Blocks.of((lists,), FRAME_LIMIT)
    covered: Mask = blocks.where(blocks.inside).cover > 0
    return covered


def _note_pair_map(changes: Changes, name: str, before: PairMap, now: PairMap) -> None:
    for zone, (old, new) in enumerate(zip(before.zones, now.zones, strict=False)):
        for order, (was, is_now) in enumerate(zip(old.pairs, new.pairs, strict=False)):
            length = max(len(was), len(is_now))
            changed = np.flatnonzero(widened(was, length) != widened(is_now, length))
            messages = (
                f"zone {zone}, order {order}: the bit of pair {pair} is {int(is_now[pair])} now"
                for pair in changed
            )
            changes.add_each(name, messages, len(changed))
    managed = (before.managed, now.managed)
    was, is_now = (_none() if one is None else one for one in managed)
    changes.add_flags(name, was, is_now, "managed now", "no longer managed")


def _note_frame_table(changes: Changes, before: MemoryState, now: MemoryState) -> None:
    old, new = before.frame_table, now.frame_table
    if old is None or new is None:
        if old is not new:
            changes.add(TABLE, "is there now" if old is None else "cannot be decoded any more")
        return
    if (old.first_frame, len(old)) != (new.first_frame, len(new)):
        changes.add(TABLE, f"is about {len(new)} frames from 0x{new.first_frame:x} on now")
        return
    first = new.first_frame
    for owner in dict.fromkeys([*old.owners, *new.owners]):
        was, is_now = (table.owners.get(owner, np.zeros(len(table), bool)) for table in (old, new))
        changes.add_frames(TABLE, is_now & ~was, f"{owner} now", first)
        changes.add_frames(TABLE, was & ~is_now, f"no longer {owner}", first)
    changes.add_frames(TABLE, new.reserved & ~old.reserved, "reserved now", first)
    changes.add_frames(TABLE, old.reserved & ~new.reserved, "no longer reserved", first)
    shared = (old.users != new.users) & (old.users > 0) & (new.users > 0)
    changes.add_frames(TABLE, shared, "used by another number of users than before", first)
    moved = old.zone != new.zone
    changes.add_frames(TABLE, moved, "in another zone than before", first)


def _places(storage: tuple[range, ...]) -> str:
    return ", ".join(f"0x{one.start:x}-0x{one.stop - 1:x}" for one in storage) or "none"
