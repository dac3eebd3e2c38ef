"""What is known of a physical address: whose it is, and which records are about it or lie there."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from harness.check.inspect import Inspection
from harness.check.known import Fact
from harness.check.model import ALLOCATABLE
from harness.check.observation import Observation
from harness.check.ownership import owned_frames
from harness.check.runs import FRAME_SIZE
from harness.decode.belief.frames import FreeList
from harness.decode.page_walk import walk
from harness.decode.paging_modes import paging_mode
from harness.maps.region import type_name

MOST_MAPPINGS = 8
"""Mappings of one address that are spelled out."""


def known_physical(seen: Observation, physical: int) -> Iterator[Fact]:
    """Yield what is known of a physical address; only what is there is said."""
    yield _firmware(seen, physical)
    if not any(physical in ram for ram in seen.guest.ram.ranges):
        yield Fact("memory", "there is no RAM at this address")
    found = seen.inspection
    frame = physical // FRAME_SIZE
    zone = int(found.model.zone_of(np.array([frame]))[0])
    where = f"0x{frame:x}, byte 0x{physical % FRAME_SIZE:x} of it"
    zones = f", zone {found.model.zone_name(zone)}" if seen.kernel.description.zones else ""
    yield Fact("frame", where + zones)
    yield from _owner(found, frame)
    words = frame_table_words(found, frame)
    if words:
        yield Fact("frame table", words)
    yield from _allocators(found, frame, physical)
    yield from _records(found, physical)
    yield from _page_table(seen, physical)
    for one in seen.guest.placements:
        if one.start <= physical < one.start + one.length:
            offset = physical - one.start
            yield Fact("boot loader", f"byte 0x{offset:x} of its {one.name} ({one.length} bytes)")


def _firmware(seen: Observation, physical: int) -> Fact:
    for region in seen.guest.memory_map.normalised().entries:
        if region.contains(physical):
            span = f"0x{region.base:x}-0x{region.end - 1:x}"
            return Fact("firmware map", f"{type_name(region.type)}, {span}")
    return Fact("firmware map", "in no region")


def _owner(found: Inspection, frame: int) -> Iterator[Fact]:
    for run in owned_frames(found, range(frame, frame + 1)):
        yield Fact("owner", run.words + (", which is one too many" if len(run.owners) > 1 else ""))
    if frame < found.model.frames and (reason := int(found.model.reason[frame])) != ALLOCATABLE:
        yield Fact("reserved", f"it must never be handed out: {found.model.reasons[reason]}")


def frame_table_words(found: Inspection, frame: int) -> str | None:
    """Return what the kernel's frame table notes of a frame, None when it has no element."""
    table = found.state.frame_table
    if table is None or not 0 <= frame - table.first_frame < len(table):
        return None
    index = frame - table.first_frame
    words = [name for name, flags in table.owners.items() if flags[index]]
    words += ["reserved"] * bool(table.reserved[index])
    words += ["first of a free block"] * bool(table.free[index])
    zone = found.model.zone_name(int(table.zone[index]))
    words.append(f"order {table.order[index]}, {table.users[index]} users, zone {zone}")
    return ", ".join(words)


def _allocators(found: Inspection, frame: int, physical: int) -> Iterator[Fact]:
    """Yield what the frame allocators say: free lists, bitmaps, bump allocators."""
    for lists in found.state.free_lists:
        for one in lists.lists:
            yield from _blocks(found, lists.name, one, frame)
    for bitmap in found.state.bitmaps:
        if 0 <= frame - bitmap.first_frame < len(bitmap.taken):
            taken = bitmap.taken[frame - bitmap.first_frame]
            yield Fact(f"bitmap {bitmap.name}", "taken" if taken else "free")
    for bump in found.state.bumps:
        for part in bump.ranges:
            if part.start <= physical < part.end:
                given = "given out" if physical < part.cursor else "not given out yet"
                span = f"0x{part.start:x}-0x{part.end - 1:x}"
                yield Fact(f"bump allocator {bump.name}", f"{given}, range {span}")


def _blocks(found: Inspection, name: str, one: FreeList, frame: int) -> Iterator[Fact]:
    for place in np.flatnonzero((one.frames <= frame) & (frame < one.frames + (1 << one.order))):
        first = int(one.frames[place])
        yield Fact(
            f"free lists {name}",
            f"in the free block of order {one.order} at physical 0x{first * FRAME_SIZE:x}, number "
            f"{int(place) + 1} of {len(one.frames)} on its list, zone "
            f"{found.model.zone_name(one.zone)}",
        )


def _records(found: Inspection, physical: int) -> Iterator[Fact]:
    """Yield which of the memory manager's own records lie at the address."""
    state = found.state
    for record in state.metadata:
        if any(physical in part for part in record.storage):
            yield Fact("record", record.name)
    for bitmap in state.bitmaps:
        if any(physical in part for part in bitmap.storage):
            yield Fact("record", f"bitmap {bitmap.name}")
    table = state.frame_table
    position = 0
    for part in table.storage if table else ():
        if table and physical in part and len(table):
            size = sum(len(one) for one in table.storage) // len(table)
            index = (position + physical - part.start) // size
            about = table.first_frame + index
            yield Fact("record", f"the frame table's element of frame 0x{about:x} ({size} bytes)")
        position += len(part)


def _page_table(seen: Observation, physical: int) -> Iterator[Fact]:
    """Yield what the entry at the address translates, if it lies in a table in use."""
    mode = paging_mode(seen.control)
    base = physical - physical % FRAME_SIZE
    if mode is None:
        return
    reached = seen.tables.table_virtual[seen.tables.tables == base]
    for virtual in np.unique(reached)[:MOST_MAPPINGS].tolist():
        for step in walk(seen.guest.ram, seen.control, virtual).steps:
            if step.address - step.address % FRAME_SIZE != base:
                continue
            level = next(level for level in mode.levels if level.number == step.level)
            number = physical % FRAME_SIZE // mode.entry_size
            start = virtual + number * level.page_size
            span = f"0x{start:x}-0x{start + level.page_size - 1:x}"
            yield Fact("page table", f"{level.entry_name} {number}, for virtual {span}")
