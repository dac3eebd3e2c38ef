"""Maximal runs of frames or pages, and how a person is told of one."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

FRAME_SIZE = 4096
"""Bytes of a frame (physical) and of a page (virtual) on i386: SDM volume 3, section 4.3."""

Mask = npt.NDArray[np.bool_]


def runs(mask: Mask) -> npt.NDArray[np.int64]:
    """Return the maximal runs of true elements as rows (first, behind the last)."""
    if not mask.any():
        return np.empty((0, 2), dtype=np.int64)
    edges = np.flatnonzero(mask[1:] != mask[:-1]) + 1
    head = [0] if mask[0] else []
    tail = [len(mask)] if mask[-1] else []
    return np.concatenate((head, edges, tail)).astype(np.int64).reshape(-1, 2)


def runs_by_key(mask: Mask, keys: npt.NDArray[np.integer]) -> Iterator[tuple[int, int, int]]:
    """Yield (first, behind the last, key) of each run of true elements that share one key."""
    where = np.flatnonzero(mask)
    if not len(where):
        return
    found = keys[where]
    breaks = np.flatnonzero((np.diff(where) != 1) | (found[1:] != found[:-1])) + 1
    starts = [0, *breaks.tolist()]
    for start, end in zip(starts, [*starts[1:], len(where)], strict=True):
        yield int(where[start]), int(where[end - 1]) + 1, int(found[start])


def frames_in_words(first: int, end: int) -> str:
    """Name the frames ``first`` … ``end - 1`` and their physical addresses."""
    low, high = first * FRAME_SIZE, end * FRAME_SIZE - 1
    if end - first == 1:
        return f"frame 0x{first:x} (physical 0x{low:x})"
    return f"frames 0x{first:x}-0x{end - 1:x} ({end - first}, physical 0x{low:x}-0x{high:x})"


def pages_in_words(first: int, end: int) -> str:
    """Name the pages ``first`` … ``end - 1`` (virtual addresses divided by 4096)."""
    low, high = first * FRAME_SIZE, end * FRAME_SIZE - 1
    if end - first == 1:
        return f"page at virtual 0x{low:x}"
    return f"{end - first} pages at virtual 0x{low:x}-0x{high:x}"


def is_or_are(first: int, end: int) -> str:
    """Return the verb that goes with :func:`frames_in_words`."""
    return "is" if end - first == 1 else "are"


_NUMBER = re.compile(r"\[([^][|]*)\|([^][|]*)\]")


def in_number(text: str, one: bool) -> str:
    """Take the singular or the plural of each ``[singular|plural]`` in a text."""
    return _NUMBER.sub(r"\1" if one else r"\2", text)


def counted(number: int, name: str) -> str:
    """Return ``1 page``, ``2 pages``."""
    return f"{number} {name}" if number == 1 else f"{number} {name}s"


def outward(byte_range: range) -> range:
    """Return the frames that ``byte_range`` (physical, bytes) touches."""
    if not byte_range:
        return range(0)
    return range(byte_range.start // FRAME_SIZE, -(-byte_range.stop // FRAME_SIZE))


def inward(byte_range: range) -> range:
    """Return the frames that lie wholly within ``byte_range`` (physical, bytes)."""
    return range(-(-byte_range.start // FRAME_SIZE), byte_range.stop // FRAME_SIZE)
