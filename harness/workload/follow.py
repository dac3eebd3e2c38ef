"""Following a tape with the allocators' policies: which block must each operation return?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from harness.decode.state import MemoryState
from harness.policy.policies import frame_policy, heap_policy
from harness.policy.protocols import FramePolicy, HeapPolicy
from harness.workload.operation import Kind, Operations, Results

_FRAME_FLAGS = 0x0F
"""Those of a request for frames, of :class:`harness.workload.operation.Flag`."""
_FRAME_KINDS = (Kind.FRAMES_ALLOC, Kind.FRAMES_FREE)
_HEAP_KINDS = (Kind.HEAP_ALLOC, Kind.HEAP_FREE)


@dataclass(frozen=True)
class Differs:
    """The first operation that returned another block than the policy says."""

    position: int
    expected: int
    """The address that is right, 0 for a failure."""


@dataclass(frozen=True)
class Policies:
    """The policies of the allocators in charge, from one state on; ``heap`` where it is needed."""

    frames: FramePolicy
    heap: HeapPolicy | None


def policies_for(operations: Operations, state: MemoryState) -> Policies | None:
    """Return what can say all of a tape's results, None when some operation has no policy."""
    frames = frame_policy(state)
    needs_heap = bool(np.isin(operations["kind"], _HEAP_KINDS).any())
    heap = heap_policy(state, frames) if frames is not None and needs_heap else None
    known = np.isin(operations["kind"], _FRAME_KINDS + (_HEAP_KINDS if heap else ()))
    return Policies(frames, heap) if frames is not None and known.all() else None


def follow(operations: Operations, results: Results, policies: Policies) -> Differs | None:
    """Return the first operation that did not give what the policies say; None when all did.

    Where results are first other than they must be the policies say nothing any more.
    """
    live: dict[int, int] = {}
    alloc_frames, free_frames = policies.frames.alloc, policies.frames.free
    alloc_bytes, free_bytes = _heap_functions(policies.heap)
    rows = zip(
        *(operations[name].tolist() for name in ("kind", "flags", "slot", "size")),
        results["value"].tolist(),
        strict=True,
    )
    frames_alloc, frames_free, heap_alloc = map(
        int, (Kind.FRAMES_ALLOC, Kind.FRAMES_FREE, Kind.HEAP_ALLOC)
    )
    for position, (kind, flags, slot, size, value) in enumerate(rows):
        if kind == frames_alloc:
            expected = alloc_frames(flags & _FRAME_FLAGS, size)
        elif kind == heap_alloc:
            expected = alloc_bytes(size)
        else:
            address = live.pop(slot, 0)
            if address:
                free_frames(address, size) if kind == frames_free else free_bytes(address)
            continue
        if expected != value:
            return Differs(position, expected)
        if value:
            live[slot] = value
    return None


def _heap_functions(
    heap: HeapPolicy | None,
) -> tuple[Callable[[int], int], Callable[[int], None]]:
    """Return how to allocate and free; of a tape without a heap neither is called."""
    if heap is None:
        return lambda size: 0, lambda address: None
    return heap.alloc, heap.free
