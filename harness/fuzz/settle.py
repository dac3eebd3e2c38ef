"""Steps as a tape's operations on one kernel: with what only a kernel that has booted can say."""

from __future__ import annotations

from collections.abc import Sequence

from harness.decode.state import MemoryState
from harness.fuzz.case import Step
from harness.workload.operation import Kind, Operations, operations

_ON_CACHES = frozenset({Kind.SLAB_ALLOC, Kind.SLAB_FREE, Kind.SLAB_GROW, Kind.SLAB_REAP})
_TOUCHES = frozenset({Kind.TOUCH_READ, Kind.TOUCH_WRITE})


def settled(steps: Sequence[Step], state: MemoryState) -> Operations:
    """Return the operations that ``steps`` are on a kernel in ``state``.

    The number of a cache counts round the caches that there are, and their objects are as large as
    they are. A touch's address counts from the start of user space. Without caches or without user
    space such steps are left out.
    """
    sizes = [cache.size for caches in state.caches for cache in caches.caches]
    spaces = state.address_spaces
    users = next((part for part in spaces.map if part.user), None) if spaces else None
    placed = []
    for kind, flags, cache, slot, size in steps:
        if kind in _ON_CACHES and sizes:
            number = cache % len(sizes)
            placed.append((kind, flags, number, slot, sizes[number]))
        elif kind in _TOUCHES and users is not None:
            placed.append(
                (kind, flags, cache, slot, users.start + size % (users.end - users.start))
            )
        elif kind not in _ON_CACHES | _TOUCHES:
            placed.append((kind, flags, cache, slot, size))
    return operations(placed)
