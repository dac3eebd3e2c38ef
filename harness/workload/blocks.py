"""The blocks that a tape's allocations gave: where each lies, and from when to when it lives."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from harness.check.runs import FRAME_SIZE
from harness.workload.operation import ALLOCATES, FREES, Kind, Operations, Results

_GIVE = [int(kind) for kind in ALLOCATES]
_TAKE = [int(kind) for kind in FREES]
_PAGES = [int(Kind.FRAMES_ALLOC), int(Kind.USER_ALLOC)]
"""Kinds whose sizes are in pages, not in bytes."""

BLOCK = np.dtype(
    [
        ("kind", "u1"),  # of the allocation
        ("flags", "u1"),
        ("slot", "<u4"),
        ("start", "<i8"),  # address: physical of frames, else virtual; of a space its number
        ("end", "<i8"),  # first byte behind what was asked for
        ("born", "<i8"),  # the allocation's position on the tape
        ("died", "<i8"),  # that of its free, or the tape's length
    ]
)

Blocks = npt.NDArray[np.void]
"""Of dtype :data:`BLOCK`."""


def blocks_of(operations: Operations, results: Results) -> Blocks:
    """Return the blocks in the order of their allocations; failed ones gave none.

    The tape must have begun with empty slots.
    """
    gave = np.isin(operations["kind"], _GIVE) & (results["value"] != 0)
    frees = np.isin(operations["kind"], _TAKE)
    positions = np.flatnonzero(gave | frees)
    order = positions[np.argsort(operations["slot"][positions], kind="stable")]
    died = np.full(len(operations), len(operations), dtype=np.int64)
    slots, nexts = operations["slot"][order], order[1:]
    freed = (slots[1:] == slots[:-1]) & frees[nexts]
    died[order[:-1][freed]] = nexts[freed]
    born = np.flatnonzero(gave)
    return _blocks(operations[born], results[born], born, died[born])


def _blocks(
    allocations: Operations,
    results: Results,
    born: npt.NDArray[np.int64],
    died: npt.NDArray[np.int64],
) -> Blocks:
    blocks = np.zeros(len(born), dtype=BLOCK)
    for name in ("kind", "flags", "slot"):
        blocks[name] = allocations[name]
    unit = np.where(np.isin(allocations["kind"], _PAGES), FRAME_SIZE, 1)
    blocks["start"] = results["value"]
    blocks["end"] = blocks["start"] + allocations["size"].astype(np.int64) * unit
    blocks["born"], blocks["died"] = born, died
    return blocks


def live(blocks: Blocks, length: int) -> Blocks:
    """Return the blocks that live at the end of a tape of ``length`` operations."""
    left: Blocks = blocks[blocks["died"] == length]
    return left


def of_kinds(blocks: Blocks, *kinds: Kind) -> Blocks:
    """Return the blocks that allocations of these kinds gave."""
    chosen: Blocks = blocks[np.isin(blocks["kind"], kinds)]
    return chosen


def in_frames(blocks: Blocks) -> npt.NDArray[np.bool_]:
    """Return which blocks are frames, with physical addresses."""
    mask: npt.NDArray[np.bool_] = blocks["kind"] == Kind.FRAMES_ALLOC
    return mask


def overlaps(blocks: Blocks, limit: int) -> list[tuple[int, int]]:
    """Return pairs of indices of blocks that lived at one time and share a byte.

    A block is named once, with one of those that it overlaps; ``limit`` pairs are enough.
    """
    if not len(blocks):
        return []
    # Between two neighbours of all borders one mark is enough, however far apart they lie.
    borders = np.unique(np.concatenate((blocks["start"], blocks["end"])))
    taken = bytearray(len(borders))
    found: list[tuple[int, int]] = []
    starts, ends = (np.searchsorted(borders, blocks[name]).tolist() for name in ("start", "end"))
    for index, given in _events(blocks):
        start, end = starts[index], ends[index]
        if not given:
            taken[start:end] = bytes(end - start)
        elif taken.find(1, start, end) < 0:
            taken[start:end] = b"\1" * (end - start)
        else:
            found.append((index, _other(blocks, index)))
            if len(found) == limit:
                break
    return found


def _events(blocks: Blocks) -> list[tuple[int, bool]]:
    """Return (index, whether it is given or taken back) in the order of the tape."""
    times = np.concatenate((blocks["born"], blocks["died"]))
    order = np.argsort(times, kind="stable")
    order = order[times[order] <= blocks["born"].max()]
    return list(zip((order % len(blocks)).tolist(), (order < len(blocks)).tolist(), strict=True))


def _other(blocks: Blocks, index: int) -> int:
    """Return an older block that lives when this one is given, and shares a byte with it."""
    one = blocks[index]
    older = blocks[:index]
    lives = (older["born"] < one["born"]) & (older["died"] > one["born"])
    shares = (older["start"] < one["end"]) & (older["end"] > one["start"])
    return int(np.flatnonzero(lives & shares)[0])
