"""Counters of a kernel's instructions in a file that QEMU shares with us.

What counts is ``executed.c`` beside this file, a plugin inside QEMU: it takes no rebuilding of the
kernel and no debug information.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Sequence
from typing import Self

import numpy as np
import numpy.typing as npt

from harness.image.kernel_image import KernelImage, Segment
from harness.machine.plugin import compiled, plugin_arguments
from harness.machine.qemu import Extra, path_of

_HEADER = np.dtype([("blocks", "<u8"), ("counters", "<u8"), ("ranges", "<u8")])
_RANGE = np.dtype([("start", "<u8"), ("size", "<u8"), ("first", "<u8")])

Counts = npt.NDArray[np.uint64]


class Table:
    """Counters for the code of one kernel, shared with the QEMUs that are given :attr:`extra`.

    A context manager.
    """

    def __init__(self, kernel: KernelImage, blocks: bool = False, most: int | None = None) -> None:
        """Make one counter for each byte of code, or ``most``, which bytes then take in turn.

        Each instruction counts; with ``blocks`` the first of each block that QEMU translates.
        """
        self.segments = [segment for segment in kernel.segments if segment.executable]
        code = max(1, sum(segment.memory_size for segment in self.segments))
        count = code if most is None else min(code, most)
        ranges = _ranges(self.segments)
        start = _HEADER.itemsize + len(ranges) * _RANGE.itemsize
        self._file = os.memfd_create("executed")
        try:
            size = start + 8 * count
            os.ftruncate(self._file, size)
            mapped = mmap.mmap(self._file, size)
        except BaseException:
            os.close(self._file)
            raise
        np.frombuffer(mapped, _HEADER, 1)[0] = (blocks, count, len(ranges))
        np.frombuffer(mapped, _RANGE, len(ranges), _HEADER.itemsize)[:] = ranges
        self.counters: Counts = np.frombuffer(mapped, "<u8", count, start)

    @property
    def extra(self) -> Extra:
        """What QEMU must be given; raise :class:`ToolMissing` without a C compiler."""
        plugin = compiled(__package__, "executed.c")
        return Extra(plugin_arguments(plugin, table=path_of(self._file)), (self._file,))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)


def _ranges(segments: Sequence[Segment]) -> npt.NDArray[np.void]:
    """Return where code runs: at its virtual addresses, and before paging at its physical."""
    rows, first = [], 0
    for segment in segments:
        rows += [(at, segment.memory_size, first) for at in {segment.virtual, segment.physical}]
        first += segment.memory_size
    return np.array(rows, dtype=_RANGE)
