"""What has become of a machine's usable memory at one moment, in bytes.

It is worked out from the decoded state and the frame ledger, never from the kernel's counters.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.check.inspect import Inspection
from harness.check.runs import FRAME_SIZE, runs

COLUMNS = 256
"""Usable memory is told apart in so many pieces of one size for a picture."""


@dataclass(frozen=True)
class Footprint:
    """Usable memory: free, with callers, or the memory manager's own; the rest is the image's."""

    usable: int
    free: int
    given: int
    """Frames that callers hold, and those behind heaps' blocks."""
    overhead: int
    """The memory manager's records and page tables."""
    largest_run: int
    """The longest row of free frames."""
    largest_block: int
    """What could be handed out in one piece: a buddy's largest block ends this early."""

    @property
    def external_fragmentation(self) -> float:
        """Share of the free memory that is not in the longest run of it."""
        return 1 - self.largest_run / self.free if self.free else 0.0

    def internal_fragmentation(self, asked: int) -> float:
        """Share of what was given that nobody asked for."""
        return 1 - asked / self.given if self.given else 0.0


def footprint(inspection: Inspection) -> Footprint:
    """Return the figures of a decoded guest."""
    usable, ledger = inspection.model.usable, inspection.ledger
    free = ledger.free[: len(usable)] & usable
    found = runs(free)
    return Footprint(
        usable=_bytes(usable),
        free=_bytes(free),
        given=_bytes(ledger.given),
        overhead=_bytes(ledger.overhead),
        largest_run=int((found[:, 1] - found[:, 0]).max(initial=0)) * FRAME_SIZE,
        largest_block=inspection.summary.largest_free_block,
    )


def _bytes(mask: npt.NDArray[np.bool_]) -> int:
    return int(np.count_nonzero(mask)) * FRAME_SIZE


def shares_given(inspection: Inspection, columns: int = COLUMNS) -> npt.NDArray[np.float32]:
    """Return for each piece of usable memory, lowest first, which share of it is not free."""
    usable = np.flatnonzero(inspection.model.usable)
    taken = ~inspection.ledger.free[usable]
    edges = np.linspace(0, len(usable), columns + 1).astype(np.int64)
    sums = np.concatenate(([0], np.cumsum(taken)))
    lengths = np.maximum(np.diff(edges), 1)
    shares: npt.NDArray[np.float32] = (np.diff(sums[edges]) / lengths).astype(np.float32)
    return shares
