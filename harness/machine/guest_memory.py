"""Guest RAM as a file in memory: shared with QEMU, filled, and made like new for each boot.

Which frames a boot touched is read from ``/proc/PID/pagemap``: a page of the file that is in no
page table of QEMU's or ours has not been accessed since its last punch and still holds its fill.
(Linux maps neighbours of a page that is read along with it, so a few frames too many are found.)
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.machine.errors import QemuFailed
from harness.machine.spec import Fill, FillKind

PAGE = 4096
BLOCK = 4 << 20
"""Unit in which RAM is filled ahead of the first boot."""
EAGER = 64 << 20
"""RAM below this offset is always filled ahead."""
TOUCHED_LIMIT = 2 << 20
"""Bytes that are filled before every boot without asking whether the last one touched them."""
MEMFD_NAME = "guest-ram"
POISON = 0xA5
STRETCH = 1021 * PAGE
"""Bytes of a fill that are made, and then repeated: a prime number of pages, so that no two pages
at a distance that kernels care for are alike."""
STRETCHES_KEPT = 4

PUNCH_HOLE_KEEP_SIZE = 3
"""``FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE`` (linux/falloc.h)."""
PRESENT = 1 << 63
SWAPPED = 1 << 62
"""Bits of a pagemap entry (Linux, admin-guide/mm/pagemap.rst)."""

_libc = ctypes.CDLL(None, use_errno=True)
_libc.fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)


class GuestMemory:
    """A memfd of ``size`` bytes, and what is known of its contents."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.descriptor = os.memfd_create(MEMFD_NAME)
        os.ftruncate(self.descriptor, size)
        self._inode = os.fstat(self.descriptor).st_ino
        self._fill = Fill(FillKind.ZERO)
        self._filled: set[int] = set()
        self._written: list[range] = []
        self._mapped: dict[str, list[list[int]]] = {}

    def close(self) -> None:
        """Give the memory back, once QEMU and all mappings are gone as well."""
        os.close(self.descriptor)

    def resident_bytes(self) -> int:
        """Return how much of the host's memory it takes."""
        return os.fstat(self.descriptor).st_blocks * 512

    def write(self, offset: int, data: bytes) -> None:
        """Write ``data`` at ``offset`` of the file, as part of one boot."""
        self._written.append(range(offset, offset + len(data)))
        view = memoryview(data)
        while view:
            done = os.pwrite(self.descriptor, view, offset)
            offset, view = offset + done, view[done:]

    def renew(self, fill: Fill, borders: Iterable[int], pid: int | None = None) -> None:
        """Make RAM what it is at power-on.

        ``borders`` are the offsets around which it is filled ahead; ``pid`` is the QEMU whose
        traces are to be removed, None before the first. Raise :class:`QemuFailed` when it is gone.
        """
        if fill != self._fill:
            self._punch(0, self.size)
            self._filled.clear()
            self._fill = fill
        elif pid is not None:
            try:
                touched = list(self._touched(pid))
            except (FileNotFoundError, ProcessLookupError):
                raise QemuFailed("QEMU has ended between two boots") from None
            self._refill(touched)
        self._written.clear()
        if fill.kind is not FillKind.ZERO:
            self._fill_ahead(borders)

    def _refill(self, touched: list[tuple[int, int]]) -> None:
        """Fill what was touched; only a punch makes it untouched again, and is rarely worth it.

        What one boot has touched the next mostly touches too: left in QEMU's page tables, it
        spares the faults, and costs a little more to fill.
        """
        many = sum(end - start for start, end in touched) > TOUCHED_LIMIT
        for start, end in touched:
            if many:
                self._punch(start, end)
            self._pour(start, end)

    def _punch(self, start: int, end: int) -> None:
        if _libc.fallocate(self.descriptor, PUNCH_HOLE_KEEP_SIZE, start, end - start):
            number = ctypes.get_errno()
            raise OSError(number, f"cannot empty guest RAM: {os.strerror(number)}")

    def _fill_ahead(self, borders: Iterable[int]) -> None:
        for block in sorted(self._blocks(borders) - self._filled):
            self._pour(block * BLOCK, min((block + 1) * BLOCK, self.size))
            self._filled.add(block)

    def _blocks(self, borders: Iterable[int]) -> set[int]:
        eager = self.size if self._fill.everywhere else min(self.size, EAGER)
        blocks = set(range(-(-eager // BLOCK)))
        for border in borders:
            first, last = max(border - BLOCK, 0) // BLOCK, (border + BLOCK - 1) // BLOCK
            blocks.update(range(first, last + 1))
        return {block for block in blocks if block * BLOCK < self.size}

    def _pour(self, start: int, end: int) -> None:
        """Write the fill to [start, end), by write() so that it leaves no trace of an access."""
        for offset, data in pattern(self._fill, start, end):
            os.pwrite(self.descriptor, data, offset)

    def _touched(self, pid: int) -> Iterator[tuple[int, int]]:
        """Yield [start, end) of the file's bytes that were accessed or written."""
        touched = np.zeros(-(-self.size // PAGE) + 1, dtype=np.bool_)
        data = list(self._data()) if self.size > EAGER else [(0, self.size)]
        for owner in (str(pid), "self"):
            for base, first, last in self._mappings(owner):
                for start, end in data:
                    low, high = max(start, first), min(end, last)
                    if low < high:
                        _mark_present(owner, base - first, low, high, touched)
        for written in self._written:
            touched[written.start // PAGE : -(-written.stop // PAGE)] = True
        borders = np.flatnonzero(np.diff(touched, prepend=np.False_)) * PAGE
        for start, end in borders.reshape(-1, 2).tolist():
            yield start, min(end, self.size)

    def _data(self) -> Iterator[tuple[int, int]]:
        """Yield [start, end) of the file's parts that are not holes."""
        position = 0
        while position < self.size:
            try:
                start = os.lseek(self.descriptor, position, os.SEEK_DATA)
            except OSError:  # ENXIO: only a hole follows
                return
            position = os.lseek(self.descriptor, start, os.SEEK_HOLE)
            yield start, position

    def _mappings(self, owner: str) -> list[list[int]]:
        """Return (virtual address, file offset, end offset) of the file in a process.

        Looked up once: QEMU maps its RAM when it starts, and so do we, once for each QEMU.
        """
        if owner not in self._mapped:
            lines = Path(f"/proc/{owner}/maps").read_text().splitlines()
            found = [_mapping(line) for line in lines if MEMFD_NAME in line]
            self._mapped[owner] = [place for inode, *place in found if inode == self._inode]
        return self._mapped[owner]


def _mapping(line: str) -> tuple[int, int, int, int]:
    """Return inode, virtual address, offset and end offset of a line of /proc/PID/maps."""
    addresses, _, offset, _, inode, *_ = line.split()
    base, end = (int(text, 16) for text in addresses.split("-"))
    return int(inode), base, int(offset, 16), int(offset, 16) + end - base


def _mark_present(
    owner: str, base: int, start: int, end: int, marks: npt.NDArray[np.bool_]
) -> None:
    """Mark the pages of [start, end) of the file, mapped at ``base``, that are in page tables."""
    entries = _page_map(owner, base + start, end - start)
    pages = slice(start // PAGE, start // PAGE + len(entries))
    marks[pages] |= (entries & np.uint64(PRESENT | SWAPPED)) != 0


def _page_map(pid: str, address: int, length: int) -> npt.NDArray[np.uint64]:
    """Return the pagemap entries of [address, address + length); all present if not readable."""
    count = -(-length // PAGE)
    try:
        descriptor = os.open(f"/proc/{pid}/pagemap", os.O_RDONLY)
    except PermissionError:
        return np.full(count, PRESENT, dtype=np.uint64)
    try:
        data = os.pread(descriptor, 8 * count, address // PAGE * 8)
    finally:
        os.close(descriptor)
    return np.frombuffer(data, dtype=np.uint64)


def pattern(fill: Fill, start: int, end: int) -> Iterator[tuple[int, memoryview]]:
    """Yield (offset, bytes) that make up [start, end) of RAM filled with ``fill``."""
    stretch = _stretch(fill.kind, fill.seed)
    while start < end:
        piece = stretch[start % STRETCH : start % STRETCH + end - start]
        yield start, piece
        start += len(piece)


@lru_cache(maxsize=STRETCHES_KEPT)
def _stretch(kind: FillKind, seed: int) -> memoryview:
    """Return the bytes that are repeated all over RAM."""
    if kind is FillKind.RANDOM:
        return memoryview(np.random.Generator(np.random.PCG64(seed)).bytes(STRETCH))
    return memoryview(bytes([POISON if kind is FillKind.POISON else 0]) * STRETCH)
