"""Who owns which frames, in runs and in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from harness.check.inspect import Inspection
from harness.check.ledger import RESERVED
from harness.check.runs import FRAME_SIZE, runs_by_key
from harness.check.summary import NOBODY, UNKNOWN

_REASON = 32
"""Bits of a key that hold the owners; the model's reason stands above them."""


@dataclass(frozen=True)
class OwnedFrames:
    """Frames ``first`` … ``end - 1``, which have the same owners."""

    first: int
    end: int
    owners: tuple[str, ...]
    """The ledger's names; in place of ``reserved`` the model's reason. More than one is a fault."""

    @property
    def words(self) -> str:
        """The owners in words."""
        return " and ".join(self.owners)

    @property
    def count(self) -> int:
        """The number of frames."""
        return self.end - self.first

    @property
    def size(self) -> int:
        """Bytes."""
        return self.count * FRAME_SIZE


def owned_frames(found: Inspection, frames: range) -> Iterator[OwnedFrames]:
    """Yield maximal runs within ``frames`` that the ledger knows, ascending."""
    ledger = found.ledger
    model = found.model.widened(len(ledger.owners))
    part = slice(frames.start, min(frames.stop, len(ledger.owners)))
    owners = ledger.owners[part].astype(np.uint64)
    keys = owners | model.reason[part].astype(np.uint64) << np.uint64(_REASON)
    everything = np.ones(len(keys), dtype=np.bool_)
    for first, end, key in runs_by_key(everything, keys):
        yield OwnedFrames(
            first + frames.start, end + frames.start, _names(found, model.reasons, key)
        )


def _names(found: Inspection, reasons: tuple[str, ...], key: int) -> tuple[str, ...]:
    ledger = found.ledger
    names = tuple(
        reasons[key >> _REASON] if name == RESERVED else name
        for bit, name in enumerate(ledger.names)
        if key >> bit & 1
    )
    return names or (NOBODY if ledger.complete else UNKNOWN,)
