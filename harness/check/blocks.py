"""All free blocks of a state side by side, whichever list they hang on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from harness.decode.belief.frames import FreeLists

FEW = 1 << 10
"""Blocks that are painted faster one by one than by sums over all frames that there can be."""


@dataclass(frozen=True)
class Blocks:
    """Free blocks, one element a block; ``inside`` are those that fit below ``span`` frames."""

    starts: npt.NDArray[np.int64]
    """First frame."""
    orders: npt.NDArray[np.int64]
    """The order of the list; the block has 2 to this many frames."""
    zones: npt.NDArray[np.int64]
    """The zone of the list."""
    span: int

    @classmethod
    def of(cls, free_lists: tuple[FreeLists, ...], span: int) -> Blocks:
        """Gather the blocks of every list; ``span`` is the number of frames that there can be."""
        lists = [found for allocator in free_lists for found in allocator.lists]
        if not lists:
            none = np.empty(0, dtype=np.int64)
            return cls(none, none, none, span)
        lengths = [len(found.frames) for found in lists]
        return cls(
            np.concatenate([found.frames for found in lists]),
            np.repeat([found.order for found in lists], lengths).astype(np.int64),
            np.repeat([found.zone for found in lists], lengths).astype(np.int64),
            span,
        )

    @cached_property
    def ends(self) -> npt.NDArray[np.int64]:
        """The first frame behind each block."""
        return self.starts + (np.int64(1) << self.orders)

    @cached_property
    def inside(self) -> npt.NDArray[np.bool_]:
        """Whether the block lies wholly on frames that there can be."""
        return (self.starts >= 0) & (self.ends <= self.span)

    def where(self, chosen: npt.NDArray[np.bool_]) -> Blocks:
        """Return the chosen blocks."""
        if chosen.all():
            return self
        return Blocks(self.starts[chosen], self.orders[chosen], self.zones[chosen], self.span)

    @cached_property
    def cover(self) -> npt.NDArray[np.int32]:
        """For each frame how many blocks it is in; all blocks must be ``inside``."""
        if len(self.starts) < FEW:
            cover = np.zeros(self.span, dtype=np.int32)
            for start, end in zip(self.starts.tolist(), self.ends.tolist(), strict=True):
                cover[start:end] += 1
            return cover
        begin = np.bincount(self.starts, minlength=self.span + 1)
        end = np.bincount(self.ends, minlength=self.span + 1)
        return np.cumsum(begin - end, dtype=np.int32)[: self.span]
