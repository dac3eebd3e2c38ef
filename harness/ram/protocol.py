"""Bytes at physical addresses, wherever they come from.

Every decoder reads guest memory through :class:`Ram` and cannot tell a running machine from a
saved dump or a GDB stub.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt


class RamError(Exception):
    """Physical memory that could not be read or written."""


class AbsentMemory(RamError):
    """There is no RAM at (all of) a range of physical addresses."""

    def __init__(self, address: int, length: int) -> None:
        super().__init__(f"no RAM at physical 0x{address:x}, {length} bytes")
        self.address = address
        self.length = length


class Ram(Protocol):
    """Physical memory of a guest."""

    @property
    def ranges(self) -> tuple[range, ...]:
        """Physical addresses at which there is RAM: ascending, disjoint, in bytes."""
        ...

    def read(self, address: int, length: int) -> bytes:
        """Return ``length`` bytes from physical ``address``; raise :class:`AbsentMemory`."""
        ...

    def write(self, address: int, data: bytes) -> None:
        """Write ``data`` to physical ``address``; raise :class:`AbsentMemory`."""
        ...

    def array(self, address: int, dtype: npt.DTypeLike, count: int) -> npt.NDArray[np.generic]:
        """Return ``count`` elements from physical ``address`` as a read-only numpy array.

        A live source gives a view, which changes with the guest; copy it to keep it.
        Raise :class:`AbsentMemory` unless all of it is RAM.
        """
        ...

    def view(self, address: int) -> memoryview | None:
        """Return the RAM from physical ``address`` on, as far as it goes, without reading it.

        It changes with the guest. None where there is none, or where looking is reading.
        """
        ...
