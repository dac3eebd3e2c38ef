"""Where in physical memory a belief stands: what to look at when it is wrong."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from harness.check.runs import FRAME_SIZE
from harness.check.violation import Violation
from harness.decode.belief.frames import Bitmap, FrameTable
from harness.decode.belief.paging import PageTables
from harness.decode.state import MemoryState

ENTRIES = 1024
"""Of a table in 32-bit paging (SDM volume 3A, 4.3)."""
_THEMSELVES = (
    *("heap", "heap-bytes", "header-chain", "large-block", "slab", "subblock", "spaces", "decode"),
)
"""Families whose violations name a virtual address at which the wrong value itself is."""


def physical_at(tables: PageTables, virtual: int | None) -> int | None:
    """Return the physical address behind a virtual one, None if it is not mapped."""
    if virtual is None:
        return None
    if tables.mode == "none":
        return virtual
    mappings = tables.mappings
    row = int(np.searchsorted(mappings["virtual"], virtual, side="right")) - 1
    within = virtual - int(mappings["virtual"][row]) if row >= 0 else 0
    if row < 0 or within >= int(mappings["size"][row]):
        return None
    return int(mappings["physical"][row]) + within


def entry_place(tables: PageTables, page: int) -> int | None:
    """Return the physical address of the entry that maps a virtual page, or would in its table."""
    virtual, mappings = page * FRAME_SIZE, tables.mappings
    row = int(np.searchsorted(mappings["virtual"], virtual, side="right")) - 1
    if row >= 0 and virtual - int(mappings["virtual"][row]) < int(mappings["size"][row]):
        return int(mappings["entry_address"][row])
    if tables.mode != "32-bit":
        return None
    slot = page // ENTRIES
    below = np.flatnonzero(tables.table_virtual[1:] == slot * ENTRIES * FRAME_SIZE) + 1
    if len(below):
        return int(tables.tables[below[0]]) + page % ENTRIES * 4
    return tables.root + slot * 4


def element_place(table: FrameTable, member: str, frame: int) -> int | None:
    """Return the physical address of what a frame table says of a frame."""
    if member not in table.members or not 0 <= frame - table.first_frame < len(table):
        return None
    offset = (frame - table.first_frame) * table.element_size + table.members[member]
    for part in table.storage:
        if offset < len(part):
            return part.start + offset
        offset -= len(part)
    return None


def bit_place(state: MemoryState, bitmap: Bitmap, words: str, frame: int) -> int | None:
    """Return the physical address of a bitmap's byte about a frame; ``words`` names the bitmap."""
    start = bitmap.places.get(words)
    if start is None:
        return None
    return physical_at(state.page_tables, start + (frame - bitmap.first_frame) // 8)


def owner_place(state: MemoryState, frame: int) -> int | None:
    """Return the physical address of what the frame allocator believes of a frame.

    For a frame within a free block that is what marks the block's first frame.
    """
    for bitmap in state.bitmaps:
        if 0 <= frame - bitmap.first_frame < len(bitmap.taken):
            return bit_place(state, bitmap, "words", frame)
    table = state.frame_table
    return None if table is None else element_place(table, "free", _head(state, frame))


def _head(state: MemoryState, frame: int) -> int:
    """Return the first frame of the free block around a frame, or the frame itself."""
    for free_lists in state.free_lists:
        for found in free_lists.lists:
            size = 1 << found.order
            around = found.frames[(found.frames <= frame) & (frame < found.frames + size)]
            if len(around):
                return int(around[0])
    return frame


def with_places(violations: Iterable[Violation], state: MemoryState) -> tuple[Violation, ...]:
    """Return the violations; those that name the wrong value's address get its place as well."""
    return tuple(_with_place(violation, state.page_tables) for violation in violations)


def _with_place(violation: Violation, tables: PageTables) -> Violation:
    family = violation.kind.partition(".")[0]
    if violation.word is not None or violation.address is None or family not in _THEMSELVES:
        return violation
    if violation.physical:
        return violation
    return replace(violation, word=physical_at(tables, violation.address))
