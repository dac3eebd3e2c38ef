"""Virtual memory of the guest, read through its own page tables.

Stretches that are contiguous both virtually and physically are joined first, so that a direct map
is one of them; a read within one is one read of RAM.
"""

from __future__ import annotations

from bisect import bisect_right

import numpy as np
import numpy.typing as npt

from harness.decode.belief.paging import PageTables
from harness.ram.protocol import AbsentMemory, Ram

MAX_READ = 64 << 20
"""Bytes of one read: a frame table of 4 GiB with 64 bytes a frame."""


class NotReadable(Exception):
    """Virtual memory that is not mapped, not RAM, or unreasonably much."""

    def __init__(self, address: int, reason: str) -> None:
        super().__init__(f"virtual 0x{address:x}: {reason}")
        self.address = address
        self.reason = reason


class AddressSpace:
    """The guest's virtual memory as its page tables map it; the identity without paging."""

    def __init__(self, ram: Ram, tables: PageTables) -> None:
        self.ram = ram
        if tables.mode == "none":
            self._virtual, self._physical, self._size = [0], [0], [1 << 32]
        else:
            self._virtual, self._physical, self._size = _stretches(tables.mappings)
        self._window = 0, 0, memoryview(b"")
        """Virtual start and end of the RAM that was looked at last, and its bytes."""

    def stretch(self, virtual: int) -> tuple[int, int]:
        """Return where a virtual address lies physically, and how far it goes on like that.

        The second is the number of bytes from there that are contiguous both ways.
        Raise :class:`NotReadable` when it is not mapped.
        """
        index = bisect_right(self._virtual, virtual) - 1
        offset = virtual - self._virtual[index] if index >= 0 else 0
        if index < 0 or offset >= self._size[index]:
            raise NotReadable(virtual, "not mapped")
        return self._physical[index] + offset, self._size[index] - offset

    def translate(self, virtual: int) -> int:
        """Return the physical address; raise :class:`NotReadable`."""
        return self.stretch(virtual)[0]

    def translate_all(self, virtual: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
        """Return the physical address of each virtual one, -1 where there is none."""
        if not self._virtual:
            return np.full(len(virtual), -1, dtype=np.int64)
        starts = np.array(self._virtual, dtype=np.uint64)
        index = np.searchsorted(starts, virtual, side="right") - 1
        row = np.maximum(index, 0)
        offset = virtual - starts[row]
        mapped = (index >= 0) & (offset < np.array(self._size, dtype=np.uint64)[row])
        physical = np.array(self._physical, dtype=np.uint64)[row] + offset
        return np.where(mapped, physical.astype(np.int64), -1)

    def physical_ranges(self, virtual: int, length: int) -> tuple[range, ...]:
        """Return the physical bytes behind ``length`` virtual ones, in virtual order."""
        if length < 0 or length > MAX_READ:
            raise NotReadable(virtual, f"{length} bytes are more than could be there")
        pieces = []
        while length:
            physical, size = self.stretch(virtual)
            size = min(size, length)
            pieces.append(range(physical, physical + size))
            virtual, length = virtual + size, length - size
        return tuple(pieces)

    def read(self, virtual: int, length: int) -> bytes:
        """Return ``length`` bytes from a virtual address; raise :class:`NotReadable`."""
        try:
            physical, size = self.stretch(virtual) if length > 0 else (0, 0)
            if 0 < length <= min(size, MAX_READ):
                return self.ram.read(physical, length)
            pieces = self.physical_ranges(virtual, length)
            return b"".join(self.ram.read(piece.start, len(piece)) for piece in pieces)
        except AbsentMemory as error:
            raise NotReadable(virtual, str(error)) from None

    def number(self, virtual: int, size: int) -> int:
        """Return the little-endian unsigned integer of ``size`` bytes at a virtual address.

        Raise :class:`NotReadable`.
        """
        start, end, view = self._window
        if not start <= virtual <= end - size:
            return self._number_elsewhere(virtual, size)
        return int.from_bytes(view[virtual - start : virtual - start + size], "little")

    def _number_elsewhere(self, virtual: int, size: int) -> int:
        """Read a number, and look at the RAM around it for the next ones."""
        index = bisect_right(self._virtual, virtual) - 1
        if index >= 0 and virtual - self._virtual[index] < self._size[index]:
            view = self.ram.view(self._physical[index])
            if view is not None:
                view = view[: self._size[index]]
                start = self._virtual[index]
                self._window = start, start + len(view), view
        return int.from_bytes(self.read(virtual, size), "little")

    def array(self, virtual: int, dtype: npt.DTypeLike, count: int) -> npt.NDArray[np.generic]:
        """Return ``count`` elements; a view when they are contiguous in physical memory too."""
        kind = np.dtype(dtype)
        pieces = self.physical_ranges(virtual, kind.itemsize * count)
        try:
            if len(pieces) == 1:
                return self.ram.array(pieces[0].start, kind, count)
            parts = [self.ram.array(piece.start, "u1", len(piece)) for piece in pieces]
        except AbsentMemory as error:
            raise NotReadable(virtual, str(error)) from None
        if not parts:
            return np.empty(0, dtype=kind)
        return np.concatenate(parts).view(kind)


def _stretches(mappings: npt.NDArray[np.void]) -> tuple[list[int], list[int], list[int]]:
    """Return start, physical start and size of each stretch contiguous both ways."""
    if not len(mappings):
        return [], [], []
    virtual, physical, size = (mappings[name] for name in ("virtual", "physical", "size"))
    new = (virtual[1:] - virtual[:-1] != size[:-1]) | (physical[1:] - physical[:-1] != size[:-1])
    first = np.concatenate([[0], np.flatnonzero(new) + 1])
    last = np.concatenate([first[1:] - 1, [len(mappings) - 1]])
    sizes = virtual[last] + size[last] - virtual[first]
    return virtual[first].tolist(), physical[first].tolist(), sizes.tolist()
