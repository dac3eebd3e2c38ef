"""Operations on a memory manager, as numpy arrays: what a workload asks for, and what it got."""

from __future__ import annotations

import enum
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt


class Kind(enum.IntEnum):
    """What an operation does; its name, in capitals, is also part of the kernel's name for it."""

    FRAMES_ALLOC = 0
    """``size`` contiguous frames; the result's value is a physical address, 0 on failure."""
    FRAMES_FREE = 1
    """What the slot holds; ``size`` as it was allocated, in frames."""
    HEAP_ALLOC = 2
    """``size`` bytes; the result's value is a virtual address, 0 on failure."""
    HEAP_FREE = 3
    USER_ALLOC = 4
    """A region of ``size`` pages in the current address space; the value is its virtual address."""
    USER_FREE = 5
    TOUCH_READ = 6
    """Read the word at virtual address ``size``: the value, or :data:`FAULT`."""
    TOUCH_WRITE = 7
    """Write ``cache`` to the word at virtual address ``size``; the value is that, or ``FAULT``."""
    SPACE_CREATE = 8
    """An address space; the value is its number."""
    SPACE_DESTROY = 9
    SPACE_SWITCH = 10
    """Make the slot's address space the current one; that of the kernel when the slot is empty."""
    SLAB_ALLOC = 11
    """An object of cache number ``cache`` of the list of caches, ``size`` bytes; its address."""
    SLAB_FREE = 12
    SLAB_GROW = 13
    """One more slab for cache number ``cache``; the value is 1, or 0 without a frame."""
    SLAB_REAP = 14
    """Give its empty slabs back; the value is how many there were."""
    USER_HEAP_ALLOC = 15
    """``size`` bytes of the heap in user space; the value is a virtual address, 0 on failure."""
    USER_HEAP_FREE = 16


class Flag(enum.IntFlag):
    """How an operation is to be done; a kernel has names of its own for the numbers."""

    DMA = 1 << 0
    NORMAL = 1 << 1
    HIGH = 1 << 2
    """Where frames may come from."""
    ZERO = 1 << 3
    """Contents zeroed."""
    FILL = 1 << 6
    """Behind an allocation: fill the block with the pattern of its slot."""
    CHECK = 1 << 7
    """In front of a free: the pattern must still be there. Behind an allocation with ``ZERO``:
    zeros must be."""


FAULT = 0xFFFFFFFF
"""The value of a touch that faults."""

ALLOCATES = frozenset(
    {
        Kind.FRAMES_ALLOC,
        Kind.HEAP_ALLOC,
        Kind.USER_ALLOC,
        Kind.SPACE_CREATE,
        Kind.SLAB_ALLOC,
        Kind.USER_HEAP_ALLOC,
    }
)
"""Kinds that fill an empty slot …"""
FREES = frozenset(
    {
        Kind.FRAMES_FREE,
        Kind.HEAP_FREE,
        Kind.USER_FREE,
        Kind.SPACE_DESTROY,
        Kind.SLAB_FREE,
        Kind.USER_HEAP_FREE,
    }
)
"""… and those that empty it again, and do nothing when it is empty."""

OPERATION = np.dtype(
    [
        ("kind", "u1"),  # Kind
        ("flags", "u1"),  # Flag
        ("cache", "<u2"),  # for kinds that choose among several allocators
        ("slot", "<u4"),  # the block's number: what an allocation fills, a free empties
        ("size", "<u4"),  # frames or bytes
    ]
)
RESULT = np.dtype(
    [
        ("value", "<u4"),  # what was allocated; of a wrong free: the first wrong byte's address
        ("ticks", "<u4"),  # of the guest's time stamp counter, for the call alone
        ("wrong", "?"),  # CHECK found other bytes than it should have
    ]
)

Operations = npt.NDArray[np.void]
"""Of dtype :data:`OPERATION`."""
Results = npt.NDArray[np.void]
"""Of dtype :data:`RESULT`, one for each operation."""


def operation(
    kind: Kind, slot: int, size: int = 0, flags: int = 0, cache: int = 0
) -> tuple[int, int, int, int, int]:
    """Return one element of an array of operations; see :func:`operations`."""
    return int(kind), int(flags), cache, slot, size


def operations(items: Iterable[tuple[int, int, int, int, int]]) -> Operations:
    """Return an array of what :func:`operation` gives."""
    return np.array(list(items), dtype=OPERATION)


def in_words(one: np.void) -> str:
    """Return what a person calls an operation: ``frames_alloc(size=4, slot=7, flags=DMA|ZERO)``."""
    number = int(one["kind"])
    name = Kind(number).name.lower() if number in set(Kind) else f"kind {number}"
    parts = [f"size={one['size']}", f"slot={one['slot']}"]
    if one["cache"]:
        parts.append(f"cache={one['cache']}")
    if one["flags"]:
        flags = [flag.name or "" for flag in Flag if flag & int(one["flags"])]
        parts.append("flags=" + "|".join(flags))
    return f"{name}({', '.join(parts)})"
