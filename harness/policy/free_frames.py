"""Which frames are free, searched for runs of them in microseconds, also among a million.

One byte a frame, so that a search for a run is a search for a string of zero bytes, which Python
does at memory speed. Frames are cut into chunks, and of each chunk is remembered how long a run
that begins there can be at most: what a search has passed over in vain, later ones leave out.
"""

from __future__ import annotations

import re

from harness.decode.belief.frames import Bitmap
from harness.decode.state import MemoryState

_CHUNK = 512
"""Frames of a chunk."""
_NOTED = 8 * _CHUNK
"""Longer runs are searched for without remembering that there was none."""
_BITS = 21
"""Of the greatest length, that of 2^20 frames."""
_AT_LEAST = [re.compile(rb"[\x%02x-\xff]" % bits) for bits in range(_BITS + 1)]
"""Patterns that find the first byte that is not below their index."""


class FreeFrames:
    """Frames from 0 up; frame numbers are physical addresses divided by 4096."""

    def __init__(self, taken: bytes) -> None:
        """Take one byte a frame: 1 = taken, 0 = free."""
        self._taken = bytearray(taken)
        self._longest = [len(taken)] * (len(taken) // _CHUNK + 1)
        """Chunk → no longer free run begins in it …"""
        self._bits = bytearray(longest.bit_length() for longest in self._longest)
        """… and how many bits this number has."""

    @classmethod
    def of(cls, bitmap: Bitmap) -> FreeFrames:
        """Return the frames that a decoded bitmap says are free."""
        return cls(b"\1" * bitmap.first_frame + bitmap.taken.tobytes())

    def __len__(self) -> int:
        return len(self._taken)

    def __contains__(self, frame: int) -> bool:
        return 0 <= frame < len(self._taken) and not self._taken[frame]

    def find(self, length: int, start: int, end: int) -> int | None:
        """Return the first frame of the lowest free run that lies in [start, end)."""
        end = min(end, len(self._taken))
        if not 0 < length <= end - start:
            return None
        chunk = self._next_chunk(length, start // _CHUNK)
        while chunk is not None and chunk * _CHUNK <= end - length:
            first = self._find_in(chunk, length, start, end)
            if first >= 0:
                return first
            chunk = self._next_chunk(length, chunk + 1)
        return None

    def _next_chunk(self, length: int, chunk: int) -> int | None:
        """Return the first chunk from ``chunk`` on in which such a run may begin."""
        pattern = _AT_LEAST[length.bit_length()]
        while found := pattern.search(self._bits, chunk):
            chunk = found.start()
            if self._longest[chunk] >= length:
                return chunk
            chunk += 1
        return None

    def _find_in(self, chunk: int, length: int, start: int, end: int) -> int:
        """Return the first frame of the lowest run that begins in a chunk; -1 for none."""
        low, high = chunk * _CHUNK, (chunk + 1) * _CHUNK + length - 1
        first = self._taken.find(bytes(length), max(low, start), min(high, end))
        if first < 0 and start <= low and high <= end and length <= _NOTED:
            self._note_longest(chunk, length - 1)
        return first

    def _note_longest(self, chunk: int, longest: int) -> None:
        self._longest[chunk] = longest
        self._bits[chunk] = longest.bit_length()

    def take(self, first: int, length: int) -> None:
        """Take free frames."""
        self._taken[first : first + length] = b"\1" * length

    def release(self, first: int, length: int) -> None:
        """Give taken frames back; raise :class:`ValueError` when one of them is not taken."""
        end = first + length
        if not 0 <= first < end <= len(self._taken) or 0 in self._taken[first:end]:
            raise ValueError(f"frames {first:#x}-{end - 1:#x} are not all taken")
        self._taken[first:end] = bytes(length)
        lowest = max(0, first - _NOTED)
        begin = max(lowest, self._taken.rfind(1, lowest, first) + 1)
        for chunk in range(begin // _CHUNK, (end - 1) // _CHUNK + 1):
            self._note_longest(chunk, len(self._taken))


def bitmap_in_charge(state: MemoryState) -> Bitmap:
    """Return the bitmap that is the frame allocator; raise :class:`ValueError` for none."""
    for bitmap in state.bitmaps:
        if bitmap.chosen and not bitmap.gone:
            return bitmap
    raise ValueError(f"no bitmap is in charge at the moment {state.moment!r}")
