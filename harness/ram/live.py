"""The RAM of a running guest, shared with it through a file such as a memfd."""

from __future__ import annotations

import mmap
from collections.abc import Iterable

from harness.ram.mapped import Extent, MappedRam

__all__ = ["Extent", "LiveRam"]


class LiveRam(MappedRam):
    """Guest RAM in the file behind ``descriptor``; what is written here the guest sees at once.

    ``extents`` says which physical addresses lie where in the file. The descriptor is the
    caller's and may be closed at any time; the mapping has a life of its own.
    """

    def __init__(self, descriptor: int, extents: Iterable[Extent]) -> None:
        super().__init__(mmap.mmap(descriptor, 0), extents)
