"""What each operation of a tape must return, put together from the policies of what it acts on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from harness.decode.state import MemoryState
from harness.policy.malloc import MallocPolicy
from harness.policy.policies import frame_policy, heap_policy
from harness.policy.protocols import FramePolicy, HeapPolicy
from harness.policy.slab_caches import SlabCachesPolicy
from harness.policy.user import UserPolicy
from harness.workload.operation import FAULT, Kind, Operations

_FRAME_FLAGS = 0x0F
"""Those of a request for frames, of :class:`harness.workload.operation.Flag`."""
_HEAP_KINDS = (Kind.HEAP_ALLOC, Kind.HEAP_FREE)
_SLAB_KINDS = (Kind.SLAB_ALLOC, Kind.SLAB_FREE, Kind.SLAB_GROW, Kind.SLAB_REAP)
_TOUCHES = (Kind.TOUCH_READ, Kind.TOUCH_WRITE)
_USER_FRAMES = 3
"""At most so many frames go into one operation on user space: a page, its table, its record."""

Gives = Callable[[int, int, int], int]
"""Flags, size and cache → what an allocation returns."""
Takes = Callable[[int, int, int], None]
"""Address, size and cache of what is given back."""
Says = Callable[[int, int, int], int]
"""Size, cache and what the slot holds → what another operation returns."""


@dataclass(frozen=True)
class Model:
    """By kind of operation: the policies' word on it, from one state on."""

    gives: dict[int, Gives] = field(default_factory=dict)
    takes: dict[int, Takes] = field(default_factory=dict)
    says: dict[int, Says] = field(default_factory=dict)


def model_for(operations: Operations, state: MemoryState, free_frames: int) -> Model | None:
    """Return what can say all of a tape's results, None when some operation has no policy.

    Operations on user space have one as long as nothing else is on the tape and memory suffices
    for all of them (``free_frames``): where its frames come from is not part of that policy.
    """
    user = _user_model(operations, state, free_frames)
    if user is not None:
        return user
    frames = frame_policy(state)
    if frames is None:
        return None
    model = Model()
    _add_frames(model, frames)
    heap = heap_policy(state, frames) if _has(operations, _HEAP_KINDS) else None
    if heap is not None:
        _add_heap(model, heap)
    if _has(operations, _SLAB_KINDS):
        _add_slabs(model, _slabs(operations, state, frames, heap))
    return model if _knows(model, operations) else None


def _has(operations: Operations, kinds: tuple[Kind, ...]) -> bool:
    return bool(np.isin(operations["kind"], kinds).any())


def _knows(model: Model, operations: Operations) -> bool:
    known = [*model.gives, *model.takes, *model.says]
    return bool(np.isin(operations["kind"], known).all())


def _add_frames(model: Model, frames: FramePolicy) -> None:
    alloc, free = frames.alloc, frames.free
    model.gives[Kind.FRAMES_ALLOC] = lambda flags, size, cache: alloc(flags & _FRAME_FLAGS, size)
    model.takes[Kind.FRAMES_FREE] = lambda address, size, cache: free(address, size)


def _add_heap(model: Model, heap: HeapPolicy) -> None:
    alloc, free = heap.alloc, heap.free
    model.gives[Kind.HEAP_ALLOC] = lambda flags, size, cache: alloc(size)
    model.takes[Kind.HEAP_FREE] = lambda address, size, cache: free(address)


def _slabs(
    operations: Operations, state: MemoryState, frames: FramePolicy, heap: HeapPolicy | None
) -> SlabCachesPolicy | None:
    """Return the caches' policy when it knows all that are asked for; some may be the heap's."""
    known = heap.caches if isinstance(heap, MallocPolicy) else {}
    slabs = SlabCachesPolicy.of(state, frames, known)
    asked = operations["cache"][np.isin(operations["kind"], _SLAB_KINDS)]
    return slabs if int(asked.max()) < len(slabs.caches) else None


def _add_slabs(model: Model, slabs: SlabCachesPolicy | None) -> None:
    if slabs is None:
        return
    caches = slabs.caches
    model.gives[Kind.SLAB_ALLOC] = lambda flags, size, cache: caches[cache].alloc()
    model.takes[Kind.SLAB_FREE] = lambda address, size, cache: caches[cache].free(address)
    model.says[Kind.SLAB_GROW] = lambda size, cache, value: int(caches[cache].grow())
    model.says[Kind.SLAB_REAP] = lambda size, cache, value: caches[cache].reap()


def _user_model(operations: Operations, state: MemoryState, free_frames: int) -> Model | None:
    """Return what says all results of a tape on user space alone, from untouched spaces on."""
    if state.address_spaces is None or not len(operations):
        return None
    policy, model = UserPolicy.of(state), Model()
    _add_user(model, policy)
    enough = len(operations) * _USER_FRAMES < free_frames
    touched = operations["size"][np.isin(operations["kind"], _TOUCHES)]
    inside = bool(((touched >= policy.start) & (touched < policy.end)).all())
    fresh = not any(policy.pages(one) or policy.by_hand(one) for one in policy.numbers)
    return model if enough and inside and fresh and _knows(model, operations) else None


def _add_user(model: Model, policy: UserPolicy) -> None:
    def read(size: int, cache: int, value: int) -> int:
        found = policy.read(size)
        return FAULT if found is None else found

    def switch(size: int, cache: int, value: int) -> int:
        policy.switch(value)
        return value

    model.gives[Kind.USER_ALLOC] = lambda flags, size, cache: policy.alloc(size)
    model.gives[Kind.SPACE_CREATE] = lambda flags, size, cache: policy.create()
    model.takes[Kind.USER_FREE] = lambda address, size, cache: policy.free(address)
    model.takes[Kind.SPACE_DESTROY] = lambda address, size, cache: policy.destroy(address)
    model.says[Kind.TOUCH_READ] = read
    model.says[Kind.TOUCH_WRITE] = lambda size, cache, value: (
        cache if policy.write(size, cache) else FAULT
    )
    model.says[Kind.SPACE_SWITCH] = switch
