"""What a frame may be taken for while an early allocator is in charge."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from harness.check.model import ALLOCATABLE, Model
from harness.check.runs import FRAME_SIZE, outward
from harness.decode.belief.frames import Bitmap, Bump, Metadata
from harness.decode.state import MemoryState

USED = 0xFFFF
"""Key of a frame that the memory manager itself has taken; no reason of a model is that large."""


def why_taken(model: Model, state: MemoryState) -> npt.NDArray[np.uint16]:
    """Return for each frame why nobody else may have it; 0 if it must be free.

    Numbers are those of ``model.reasons``, and :data:`USED`: page tables, records, and the tables
    of the allocators themselves.
    """
    why = model.reason.copy()
    keepers: tuple[Metadata | Bitmap | Bump, ...] = (*state.metadata, *state.bitmaps, *state.bumps)
    parts = [outward(found) for keeper in keepers for found in keeper.storage]
    tables = (state.page_tables.tables // FRAME_SIZE).astype(np.int64).tolist()
    for frames in (*parts, *(range(table, table + 1) for table in tables)):
        part = why[frames.start : frames.stop]
        part[part == ALLOCATABLE] = USED
    return why


def boot_time_records(model: Model, state: MemoryState) -> npt.NDArray[np.bool_]:
    """Return the frames of records that were taken before there was a frame allocator.

    It has never been given those.
    """
    keepers: tuple[Metadata | Bitmap, ...] = (
        *(record for record in state.metadata if record.owner is None),
        *state.bitmaps,
    )
    records = np.zeros(model.frames, dtype=np.bool_)
    for storage in (storage for keeper in keepers for storage in keeper.storage):
        frames = outward(storage)
        records[frames.start : frames.stop] = True
    return records


def why_in_words(model: Model, key: int) -> tuple[str, tuple[str, ...]]:
    """Return what a key of :func:`why_taken` means, and the properties that freeing it breaks."""
    if key == USED:
        return "the memory manager's own", ("V2", "V4")
    return model.reasons[key], ("V1", "V2")
