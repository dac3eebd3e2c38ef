"""Where heaps over whole pages get them from: frames of the direct map, or user regions."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from harness.decode.state import MemoryState
from harness.policy.protocols import FramePolicy
from harness.policy.user import UserPolicy
from harness.policy.zones import NORMAL


class ChunkSource(Protocol):
    """Gives contiguous pages of 4 KiB and takes them back, as virtual addresses."""

    def take(self, chunks: int) -> tuple[int, int]:
        """Return the address of ``chunks`` or more of them, 0 on failure, and how many."""
        ...

    def give(self, start: int, chunks: int) -> None:
        """Give back what :meth:`take` gave, all of it."""
        ...


def direct_map_base(state: MemoryState) -> int:
    """Return the virtual address at which most of physical memory appears from 0 on."""
    mappings = state.page_tables.mappings
    bases = mappings["virtual"].astype(np.int64) - mappings["physical"].astype(np.int64)
    different, inverse = np.unique(bases, return_inverse=True)
    sizes = np.bincount(inverse, weights=mappings["size"].astype(np.float64))
    return int(different[int(sizes.argmax())])


class FrameChunks:
    """Contiguous frames, as virtual addresses of the direct map."""

    def __init__(self, state: MemoryState, frames: FramePolicy) -> None:
        """Take them from ``frames``, which others may take from as well."""
        self._frames = frames
        self._base = direct_map_base(state)
        self._powers = bool(state.free_lists)

    def take(self, chunks: int) -> tuple[int, int]:
        """Return a virtual address, 0 on failure, and how many chunks there are.

        An allocator with free lists by order gives powers of two.
        """
        address = self._frames.alloc(NORMAL, chunks)
        if not address:
            return 0, 0
        return self._base + address, 1 << (chunks - 1).bit_length() if self._powers else chunks

    def give(self, start: int, chunks: int) -> None:
        """Give back what :meth:`take` gave."""
        self._frames.free(start - self._base, chunks)


class UserChunks:
    """A user region of the current address space for each run of pages."""

    def __init__(self, regions: UserPolicy) -> None:
        """Take them where ``regions`` says, from which others may take as well."""
        self._regions = regions

    def take(self, chunks: int) -> tuple[int, int]:
        """Return a virtual address, 0 on failure, and the number of chunks."""
        start = self._regions.alloc(chunks)
        return start, chunks if start else 0

    def give(self, start: int, chunks: int) -> None:
        """Give back what :meth:`take` gave."""
        self._regions.free(start)
