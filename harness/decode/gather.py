"""The beginnings of many pages, copied at once."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from harness.decode.belief.paging import FRAME_SIZE
from harness.ram.protocol import Ram

NEAR = 1 << 20
"""Bytes of RAM that are looked at as one, between the first and the last page in them."""


def gather(ram: Ram, pages: npt.NDArray[np.int64], length: int) -> npt.NDArray[np.uint8]:
    """Return a row of the first ``length`` bytes of each page, at physical addresses in RAM."""
    rows = np.empty((len(pages), length), dtype=np.uint8)
    for where in _neighbours(ram, pages):
        near = pages[where]
        first, last = int(near.min()), int(near.max())
        count = (last - first) // FRAME_SIZE + 1
        frames = ram.array(first, "u1", count * FRAME_SIZE).reshape(count, FRAME_SIZE)
        rows[where] = frames[(near - first) // FRAME_SIZE, :length]
    return rows


def _neighbours(ram: Ram, pages: npt.NDArray[np.int64]) -> Iterator[npt.NDArray[np.int64]]:
    """Yield indices of pages that lie in one stretch of RAM, and close to each other."""
    starts = np.array([one.start for one in ram.ranges], dtype=np.int64)
    stretch = np.searchsorted(starts, pages, side="right")
    keys = stretch << 32 | pages // NEAR
    ascending = np.argsort(keys, kind="stable")
    borders = np.flatnonzero(np.diff(keys[ascending])) + 1
    for group in np.split(ascending, borders):
        if len(group):
            yield group
