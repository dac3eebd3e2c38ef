"""The figures of a machine for a table: usable, free, and who holds the rest."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from harness.check.blocks import Blocks
from harness.check.ledger import FREE, RESERVED, Ledger
from harness.check.model import FRAME_ZERO, IMAGE, LEFT_ALONE, Model
from harness.check.runs import FRAME_SIZE, runs

NOBODY = "nobody"
"""Owner of lost frames."""
UNKNOWN = "unknown"
"""Owner of frames of which the kernel keeps no record."""


@dataclass(frozen=True)
class Summary:
    """Usable memory and what became of it."""

    usable_bytes: int
    free_bytes: int
    largest_free_block: int
    """In bytes."""
    lost: dict[str, int] = field(default_factory=dict)
    """Owner → usable frames that are not free because of it, most first."""


def summarise(model: Model, ledger: Ledger, blocks: Blocks) -> Summary:
    """Return the figures of a state; each usable frame counts once, for its first owner."""
    free = ledger.free & model.usable
    return Summary(
        usable_bytes=int(np.count_nonzero(model.usable)) * FRAME_SIZE,
        free_bytes=int(np.count_nonzero(free)) * FRAME_SIZE,
        largest_free_block=_largest(free, blocks) * FRAME_SIZE,
        lost=_lost(model, ledger),
    )


def _largest(free: npt.NDArray[np.bool_], blocks: Blocks) -> int:
    if len(blocks.orders):
        return 1 << int(blocks.orders.max())
    found = runs(free)
    return int((found[:, 1] - found[:, 0]).max(initial=0))


def _lost(model: Model, ledger: Ledger) -> dict[str, int]:
    taken = np.flatnonzero(model.usable & ~ledger.free)
    owners = ledger.owners[taken]
    lowest = owners & (~owners + np.uint32(1))
    lost = {
        name: int(np.count_nonzero(lowest == 1 << bit))
        for bit, name in enumerate(ledger.names)
        if name not in (RESERVED, FREE)
    }
    lost |= _reserved(model, taken)
    lost[NOBODY if ledger.complete else UNKNOWN] = int(np.count_nonzero(owners == 0))
    most_first = sorted(lost.items(), key=lambda item: -item[1])
    return {name: count for name, count in most_first if count}


def _reserved(model: Model, taken: npt.NDArray[np.int64]) -> dict[str, int]:
    counts = np.bincount(model.reason[taken], minlength=len(model.reasons)).tolist()
    return {
        "frame 0": counts[FRAME_ZERO],
        "kernel image": counts[IMAGE],
        "boot information": sum(counts[LEFT_ALONE + 1 :]),
    }
