"""When a kernel is right to turn a machine down.

A kernel that stops with a clear message on a machine without usable memory does its job. One that
stops where there was enough is wrong. What is enough is worked out here, without the kernel's own
arithmetic.
"""

from __future__ import annotations

import numpy as np

from harness.check.model import ALLOCATABLE, Model
from harness.check.runs import FRAME_SIZE, Mask, runs
from harness.image.c_type import Kind
from harness.image.errors import UnknownName
from harness.image.kernel_image import KernelImage
from harness.image.schema.frames import FrameTable

MARGIN_FRAMES = 32
"""Frames beyond the big tables that a kernel may want before it is ready: page directories,
records of areas and caches, a first stack. A machine this close to the edge may be refused."""

BITS_A_FRAME = 4
"""What a frame allocator without a frame table may keep of each frame, in a row: whether it is
free, whether it ever was, who holds it."""

FRAMES_PER_TABLE = 1024
"""Pages that one 32-bit page table maps: SDM volume 3, section 4.3."""


def reason_to_refuse(model: Model, kernel: KernelImage) -> str | None:
    """Return why ``kernel`` may turn the machine down, or None when it has no reason to.

    The model's description names the structures that this boot has in use, and no others.
    """
    most = model.description.firmware_map.entries
    if most is not None and model.entries > most:
        return f"the map has {model.entries} entries, and the kernel takes {most}"
    if not model.usable.any():
        return "the map has no usable frame where RAM is"
    low = _reachable(model)
    return (
        _no_place_for_bitmap(model, low)
        or _no_place_for_records(model, kernel, low)
        or _too_little(model, kernel, low)
    )


def _no_place_for_bitmap(model: Model, low: Mask) -> str | None:
    frames = _bitmap_frames(model)
    for bitmap in model.description.bitmaps:
        place = low[: bitmap.below // FRAME_SIZE] if bitmap.below else low
        if frames > _longest_run(place):
            where = f" below {bitmap.below >> 20} MiB" if bitmap.below else ""
            return (
                f"{bitmap.name}'s bitmap needs {frames} frame{'s' * (frames != 1)} "
                f"in a row{where}, and there is no such run"
            )
    return None


def _no_place_for_records(model: Model, kernel: KernelImage, low: Mask) -> str | None:
    """A bitmap is there first and may lie in the middle of the best place."""
    frames, longest = _record_frames(model, kernel), _longest_run(low)
    if frames + _bitmap_frames(model) * len(model.description.bitmaps) > longest:
        table = model.description.frame_table
        what = "the frame table needs" if table else "the records of frames need"
        return f"{what} {frames} frames in a row, and the longest run has {longest}"
    return None


def _too_little(model: Model, kernel: KernelImage, low: Mask) -> str | None:
    available = int(np.count_nonzero(low))
    records = _record_frames(model, kernel) + _other_frames(model)
    if records + MARGIN_FRAMES > available:
        return (
            f"{available} frames may be handed out where the kernel can reach them, "
            f"and its records need {records} and a margin of {MARGIN_FRAMES}"
        )
    return None


def _reachable(model: Model) -> Mask:
    """Return the frames for the kernel's own records: the ones that a linear map shows."""
    allocatable = model.reason == ALLOCATABLE
    end = max((len(linear.pages) for linear in model.linear), default=model.frames)
    low: Mask = allocatable[:end]
    return low


def _longest_run(mask: Mask) -> int:
    found = runs(mask)
    return int((found[:, 1] - found[:, 0]).max(initial=0))


def _managed_end(model: Model) -> int:
    return int(np.flatnonzero(model.usable)[-1]) + 1


def _record_frames(model: Model, kernel: KernelImage) -> int:
    """Return the frames of what the frame allocator notes of each frame."""
    described = model.description.frame_table
    if described is None:
        return BITS_A_FRAME * _bitmap_frames(model)
    size = _managed_end(model) * _element_size(described, kernel)
    return -(-size // FRAME_SIZE)


def _bitmap_frames(model: Model) -> int:
    return -(-_managed_end(model) // (8 * FRAME_SIZE))


def _other_frames(model: Model) -> int:
    """Return the frames of a bitmap and of the linear maps' page tables."""
    end = _managed_end(model)
    bitmaps = _bitmap_frames(model) * len(model.description.bitmaps)
    mapped = [min(end, len(linear.pages)) for linear in model.linear]
    return bitmaps + sum(-(-pages // FRAMES_PER_TABLE) for pages in mapped)


def _element_size(described: FrameTable, kernel: KernelImage) -> int:
    """Return the size in bytes of a frame table's element; 0 when the image does not tell."""
    try:
        type_ = kernel.types.variable(described.array)[1].stripped
    except UnknownName:
        return 0
    return type_.target.size if type_.kind in (Kind.POINTER, Kind.ARRAY) else 0
