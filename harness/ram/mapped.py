"""RAM that is bytes of a mapped file: of a running guest, or of a saved dump."""

from __future__ import annotations

import contextlib
import mmap
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import numpy as np
import numpy.typing as npt

from harness.ram.protocol import AbsentMemory, RamError


@dataclass(frozen=True)
class Extent:
    """``length`` bytes of RAM at physical ``start``, kept at ``offset`` of a file."""

    start: int
    length: int
    offset: int

    @property
    def end(self) -> int:
        """First physical address behind it."""
        return self.start + self.length


class MappedRam:
    """A :class:`harness.ram.protocol.Ram` over a mapping, which it owns."""

    def __init__(self, memory: mmap.mmap, extents: Iterable[Extent]) -> None:
        self._extents = _checked(extents, len(memory))
        self._starts = [extent.start for extent in self._extents]
        self._ranges = _joined(self._extents)
        self._memory = memory
        self._view: memoryview | None = memoryview(memory).toreadonly()

    @property
    def ranges(self) -> tuple[range, ...]:
        """Physical addresses at which there is RAM: ascending, disjoint, in bytes."""
        return self._ranges

    def read(self, address: int, length: int) -> bytes:
        """Return a copy of ``length`` bytes from physical ``address``."""
        view = self._opened()
        pieces = self._pieces(address, length)
        return b"".join(bytes(view[offset : offset + size]) for offset, size in pieces)

    def write(self, address: int, data: bytes) -> None:
        """Write ``data`` to physical ``address``: all of it, or nothing when some is absent."""
        self._opened()
        position = 0
        for offset, size in self._pieces(address, len(data)):
            self._memory[offset : offset + size] = data[position : position + size]
            position += size

    def array(self, address: int, dtype: npt.DTypeLike, count: int) -> npt.NDArray[np.generic]:
        """Return ``count`` elements from physical ``address``, as a view where that can be."""
        view = self._opened()
        layout = np.dtype(dtype)
        pieces = self._pieces(address, layout.itemsize * count)
        if len(pieces) == 1:
            return np.frombuffer(view, layout, count, pieces[0][0])
        if not pieces:
            return np.empty(count, layout)
        return np.frombuffer(self.read(address, layout.itemsize * count), layout, count)

    def view(self, address: int) -> memoryview | None:
        """Return the RAM from physical ``address`` on, as far as it goes, without reading it.

        It changes with the guest. None where there is none, or where looking is reading.
        """
        index = bisect_right(self._starts, address) - 1
        if index < 0 or address >= self._extents[index].end:
            return None
        extent = self._extents[index]
        start = extent.offset + address - extent.start
        return self._opened()[start : extent.offset + extent.length]

    def _pieces(self, address: int, length: int) -> list[tuple[int, int]]:
        """Return (file offset, bytes) of each part of a range of physical addresses."""
        pieces: list[tuple[int, int]] = []
        index = bisect_right(self._starts, address) - 1
        position, end = address, address + length
        while position < end:
            extent = self._extents[index] if 0 <= index < len(self._extents) else None
            if extent is None or not extent.start <= position < extent.end:
                raise AbsentMemory(address, length)
            size = min(end, extent.end) - position
            pieces.append((extent.offset + position - extent.start, size))
            position, index = position + size, index + 1
        if length < 0:
            raise AbsentMemory(address, length)
        return pieces

    def _opened(self) -> memoryview:
        if self._view is None:
            raise RamError("this memory has been closed")
        return self._view

    def close(self) -> None:
        """Give the mapping up; arrays that are still held stay valid until they are dropped."""
        self._view = None
        with contextlib.suppress(BufferError):
            self._memory.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _checked(extents: Iterable[Extent], size: int) -> tuple[Extent, ...]:
    """Return the extents by address; raise ``ValueError`` when they overlap or leave the file."""
    ordered = tuple(sorted((e for e in extents if e.length), key=lambda e: e.start))
    for extent in ordered:
        if min(extent.start, extent.length, extent.offset) < 0:
            raise ValueError(f"negative number in {extent}")
        if extent.offset + extent.length > size:
            raise ValueError(f"{extent} ends beyond the file's {size} bytes")
    for low, high in pairwise(ordered):
        if low.end > high.start:
            raise ValueError(f"{low} and {high} overlap")
    return ordered


def _joined(extents: tuple[Extent, ...]) -> tuple[range, ...]:
    """Return the physical ranges, neighbours as one."""
    ranges: list[range] = []
    for extent in extents:
        if ranges and ranges[-1].stop == extent.start:
            ranges[-1] = range(ranges[-1].start, extent.end)
        else:
            ranges.append(range(extent.start, extent.end))
    return tuple(ranges)
