"""What a tape's blocks hold: the pattern of a slot, as ``kernel/tape/pattern.h`` defines it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

SLOT_STEP = 0x9E3779B1
WORD_STEP = 0x85EBCA6B
_MASK = 0xFFFFFFFF


def pattern(slot: int, length: int, start: int = 0) -> npt.NDArray[np.uint8]:
    """Return ``length`` bytes of slot ``slot``'s pattern, from byte ``start``, a multiple of 4.

    Word i is ``(slot + 1) * 0x9E3779B1 + i * 0x85EBCA6B`` modulo 2^32, little-endian.
    """
    first, words = start // 4, -(-length // 4)
    sequence = np.arange(first, first + words, dtype=np.uint64) * np.uint64(WORD_STEP)
    sequence += np.uint64((slot + 1) * SLOT_STEP & _MASK)
    return (sequence & np.uint64(_MASK)).astype("<u4").view(np.uint8)[:length]
