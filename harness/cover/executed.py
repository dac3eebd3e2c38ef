"""How often each instruction of a kernel is executed."""

from __future__ import annotations

from typing import Self

from harness.cover.table import Counts, Table
from harness.image.kernel_image import KernelImage
from harness.machine.errors import SpecError
from harness.machine.qemu import Extra

__all__ = ["MOST_CODE", "Counts", "Executed"]

MOST_CODE = 64 << 20
"""Bytes of executable segments whose instructions can be counted."""


class Executed:
    """Counters for the code of one kernel, shared with the QEMUs that are given :attr:`extra`.

    A context manager.
    """

    def __init__(self, kernel: KernelImage) -> None:
        """Make counters; raise :class:`SpecError` for more code than ``MOST_CODE``."""
        code = sum(segment.memory_size for segment in kernel.segments if segment.executable)
        if code > MOST_CODE:
            raise SpecError(f"the kernel has {code} bytes of code: at most {MOST_CODE} are counted")
        self._table = Table(kernel)

    @property
    def extra(self) -> Extra:
        """What QEMU must be given; raise :class:`ToolMissing` without a C compiler."""
        return self._table.extra

    def counts(self) -> dict[int, Counts]:
        """Return how often each instruction was executed up to now.

        Virtual address of a segment's first byte → one number a byte, 0 inside an instruction. One
        at which a debugger stopped the CPU counts once more.
        """
        found, first = {}, 0
        for segment in self._table.segments:
            found[segment.virtual] = self._table.counters[
                first : first + segment.memory_size
            ].copy()
            first += segment.memory_size
        return found

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._table.__exit__()
