"""A decoded memory manager, for programs."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from harness.decode.belief.frames import FrameTable
from harness.decode.belief.paging import PageTables
from harness.decode.state import MemoryState
from harness.report.ranges import mapped_ranges
from harness.report.space_text import spaces_json


def state_json(state: MemoryState) -> dict[str, Any]:
    """Return ``state`` as JSON values; pages as ranges, arrays over frames as frame ranges.

    Left out is what each byte of a heap is: it follows from the heap's blocks.
    """
    values = {
        field.name: plain(getattr(state, field.name))
        for field in dataclasses.fields(state)
        if field.name not in ("page_tables", "frame_table", "heap_bytes", "address_spaces")
    }
    values["page_tables"] = _page_tables(state.page_tables)
    values["frame_table"] = state.frame_table and _frame_table(state.frame_table)
    values["address_spaces"] = state.address_spaces and spaces_json(state.address_spaces)
    return values


def _page_tables(tables: PageTables) -> dict[str, Any]:
    return {
        "mode": tables.mode,
        "root": tables.root,
        "tables": tables.tables.tolist(),
        "ranges": [dataclasses.asdict(one) for one in mapped_ranges(tables)],
        "faults": plain(tables.faults),
    }


def _frame_table(table: FrameTable) -> dict[str, Any]:
    return {
        "first_frame": table.first_frame,
        "frames": len(table),
        "reserved": plain(table.reserved),
        "free_blocks": plain(table.free),
        "owners": plain(table.owners),
        "storage": plain(table.storage),
    }


def plain(value: Any) -> Any:
    """Return decoded values as JSON values; of an array of truths the runs of true elements."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, np.ndarray):
        return _true_runs(value) if value.dtype == bool else value.tolist()
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, range):
        return [value.start, value.stop]
    if isinstance(value, tuple | list):
        return [plain(inner) for inner in value]
    return value


def _true_runs(flags: np.ndarray[Any, np.dtype[np.bool_]]) -> list[list[int]]:
    """Return [first, behind the last] of each run of true elements."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], flags, [False])).astype(np.int8)))
    return edges.reshape(-1, 2).tolist()
