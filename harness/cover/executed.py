"""How often each instruction of a kernel is executed, counted by a plugin inside QEMU.

It takes no rebuilding of the kernel and no debug information. The plugin is ``executed.c`` beside
this file.
"""

from __future__ import annotations

import mmap
import os
from typing import Self

import numpy as np
import numpy.typing as npt

from harness.image.kernel_image import KernelImage
from harness.machine.errors import SpecError
from harness.machine.plugin import compiled, plugin_arguments
from harness.machine.qemu import Extra, path_of

MOST_CODE = 64 << 20
"""Bytes of executable segments whose instructions can be counted."""

_RANGE = np.dtype([("start", "<u8"), ("size", "<u8"), ("first", "<u8")])

Counts = npt.NDArray[np.uint64]


class Executed:
    """Counters for the code of one kernel, shared with the QEMUs that are given :attr:`extra`.

    A context manager.
    """

    def __init__(self, kernel: KernelImage) -> None:
        """Make counters; raise :class:`SpecError` for more code than ``MOST_CODE``."""
        self._segments = [segment for segment in kernel.segments if segment.executable]
        code = sum(segment.memory_size for segment in self._segments)
        if code > MOST_CODE:
            raise SpecError(f"the kernel has {code} bytes of code: at most {MOST_CODE} are counted")
        ranges = self._ranges()
        start = 8 + len(ranges) * _RANGE.itemsize
        self._file = os.memfd_create("executed")
        try:
            size = start + 8 * max(1, code)
            os.ftruncate(self._file, size)
            self._mapped = mmap.mmap(self._file, size)
        except BaseException:
            os.close(self._file)
            raise
        np.frombuffer(self._mapped, "<u8", 1)[0] = len(ranges)
        np.frombuffer(self._mapped, _RANGE, len(ranges), 8)[:] = ranges
        self._counters = np.frombuffer(self._mapped, "<u8", code, start)

    def _ranges(self) -> npt.NDArray[np.void]:
        """Return where code runs: at its virtual addresses, and before paging at its physical."""
        rows, first = [], 0
        for segment in self._segments:
            rows += [(at, segment.memory_size, first) for at in {segment.virtual, segment.physical}]
            first += segment.memory_size
        return np.array(rows, dtype=_RANGE)

    @property
    def extra(self) -> Extra:
        """What QEMU must be given; raise :class:`ToolMissing` without a C compiler."""
        plugin = compiled(__package__, "executed.c")
        return Extra(plugin_arguments(plugin, table=path_of(self._file)), (self._file,))

    def counts(self) -> dict[int, Counts]:
        """Return how often each instruction was executed up to now.

        Virtual address of a segment's first byte → one number a byte, 0 inside an instruction. One
        at which a debugger stopped the CPU counts once more.
        """
        found, first = {}, 0
        for segment in self._segments:
            found[segment.virtual] = self._counters[first : first + segment.memory_size].copy()
            first += segment.memory_size
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)
