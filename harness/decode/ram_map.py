"""Which physical addresses are RAM, asked for many at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from harness.ram.protocol import Ram

U64 = npt.NDArray[np.uint64]


class RamMap:
    """The ranges of a :class:`Ram` as arrays."""

    def __init__(self, ram: Ram) -> None:
        self._starts = np.array([r.start for r in ram.ranges], dtype=np.uint64)
        self._ends = np.array([r.stop for r in ram.ranges], dtype=np.uint64)

    def holds(self, addresses: U64, length: int) -> npt.NDArray[np.bool_]:
        """Tell for each physical address whether ``length`` bytes from it are RAM."""
        if not len(self._starts):
            return np.zeros(len(addresses), dtype=bool)
        index = np.searchsorted(self._starts, addresses, side="right").astype(np.int64) - 1
        ends = self._ends[np.maximum(index, 0)]
        found: npt.NDArray[np.bool_] = (index >= 0) & (addresses + np.uint64(length) <= ends)
        return found
