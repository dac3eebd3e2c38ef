"""Which ways through its code a kernel has gone that was compiled to tell: its map in guest RAM.

The map is an array of bytes, each a counter of the steps from one place in the code to another (of
all pairs that share it). An edge is such a pair together with how often it was gone, roughly: once,
twice, three times, 4 to 7, 8 to 15, 16 to 31, 32 to 127 times, more.
"""

from __future__ import annotations

import numpy as np

from harness.image.c_type import Kind
from harness.image.errors import DescriptionError
from harness.image.kernel_image import KernelImage
from harness.image.position import position
from harness.ram.protocol import AbsentMemory, Ram

MOST_BYTES = 1 << 18
"""Of a map: it is read after each boot."""
_LEAST = (1, 2, 3, 4, 8, 16, 32, 128)
"""The lowest count of each class of counts (AFL's: M. Zalewski, technical_details.txt)."""
_CLASSES = np.searchsorted(_LEAST, np.arange(256), side="right") - 1


def edge_map(kernel: KernelImage) -> range | None:
    """Return where the kernel's map lies, in physical bytes; None when it was not built with one.

    Raise :class:`DescriptionError` when what the description names is no map.
    """
    coverage = kernel.description.coverage
    if coverage is None or not coverage.variables.items() <= dict(kernel.variables).items():
        return None
    try:
        address, type_ = kernel.types.variable(coverage.map)
        array = type_.stripped
        start = kernel.physical(address)
        kernel.physical(address + max(1, array.size) - 1)
    except LookupError as error:
        raise _wrong(kernel, coverage.map, f"is no map: {error}") from None
    if array.kind is not Kind.ARRAY or array.target.stripped.size != 1:
        raise _wrong(kernel, coverage.map, "is not an array of bytes")
    if not 0 < array.size <= MOST_BYTES:
        raise _wrong(kernel, coverage.map, f"has {array.size} bytes: at most {MOST_BYTES} are read")
    return range(start, start + array.size)


def _wrong(kernel: KernelImage, name: str, what: str) -> DescriptionError:
    where = position(kernel.description, kernel.description.coverage, name)
    return DescriptionError(f"{where}: {name} {what}")


def edges_in(ram: Ram, place: range) -> frozenset[int]:
    """Return the numbers of the edges in the map at ``place``, while the guest runs or later."""
    try:
        counters = np.array(ram.array(place.start, np.uint8, len(place)))
    except AbsentMemory:
        return frozenset()  # a machine that is smaller than the kernel
    gone = np.flatnonzero(counters != 0)  # of truths, which numpy counts faster
    return frozenset((gone * len(_LEAST) + _CLASSES[counters[gone]]).tolist())
