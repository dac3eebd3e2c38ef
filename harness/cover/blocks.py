"""Which blocks of a kernel's code one boot after another goes through: a kernel as it is.

A block is what QEMU translates at once: from where a jump leads to the next jump. To count them
costs a tenth of a boot.
"""

from __future__ import annotations

from typing import Self

import numpy as np

from harness.cover.table import Table
from harness.image.kernel_image import KernelImage
from harness.machine.qemu import Extra

MOST_COUNTERS = 1 << 18
"""Blocks of a kernel with more bytes of code than this share counters."""


class Blocks:
    """Counters of blocks, shared with the QEMUs that are given :attr:`extra`; one boots at a time.

    A context manager.
    """

    def __init__(self, kernel: KernelImage) -> None:
        self.kernel = kernel
        self._table = Table(kernel, blocks=True, most=MOST_COUNTERS)

    @property
    def extra(self) -> Extra:
        """What QEMU must be given; raise :class:`ToolMissing` without a C compiler."""
        return self._table.extra

    def clear(self) -> None:
        """Forget what was seen, before a boot."""
        self._table.counters.fill(0)

    def seen(self) -> frozenset[int]:
        """Return the numbers of the blocks that have been executed since :meth:`clear`."""
        return frozenset(np.flatnonzero(self._table.counters != 0).tolist())

    def close(self) -> None:
        """Give the counters back."""
        self._table.__exit__()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
