"""Which policy each allocator follows: what it must return, request by request.

A policy is a model in plain Python, made from a decoded state and independent of the kernel's
code. Its file is named after it; here stands only which one belongs to the allocator in charge,
under the name that the kernel's description gives its structure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from harness.decode.state import MemoryState
from harness.policy.buddy import BuddyPolicy
from harness.policy.first_fit import FirstFitPolicy
from harness.policy.kmalloc import KmallocPolicy
from harness.policy.malloc import MallocPolicy
from harness.policy.next_fit import NextFitPolicy
from harness.policy.pair import PairPolicy
from harness.policy.protocols import FramePolicy, HeapPolicy
from harness.policy.subblock import SubblockPolicy
from harness.policy.subblock_old import SubblockOldPolicy

FRAME_POLICIES: Mapping[str, Callable[[MemoryState], FramePolicy]] = {
    "bitmap": FirstFitPolicy.of,
    "buddy": BuddyPolicy.of,
    "pair": PairPolicy.of,
    "pmm": NextFitPolicy.of,
}
"""Name of an allocator's structure → how its policy begins from a state."""

HEAP_POLICIES: Mapping[str, Callable[[MemoryState, FramePolicy], HeapPolicy]] = {
    "subblock": SubblockPolicy.of,
    "subblock-old": SubblockOldPolicy.of,
    "kmalloc": KmallocPolicy.of,
    "malloc": MallocPolicy.of,
}
"""The same for heaps, over a policy for the frames that they are made of."""


def frame_policy(state: MemoryState) -> FramePolicy | None:
    """Return the policy of the frame allocator in charge; None where there is none for it."""
    for name in _in_charge(state):
        if name in FRAME_POLICIES:
            return FRAME_POLICIES[name](state)
    return None


def heap_policy(state: MemoryState, frames: FramePolicy) -> HeapPolicy | None:
    """Return the policy of the heap in charge; None where there is none for it.

    The heap takes its frames from ``frames``, which others may take from as well.
    """
    for name in _in_charge(state):
        if name in HEAP_POLICIES:
            return HEAP_POLICIES[name](state, frames)
    return None


def _in_charge(state: MemoryState) -> Iterator[str]:
    """Yield the names of the structures that this boot has in use."""
    for bitmap in state.bitmaps:
        if bitmap.chosen and not bitmap.gone:
            yield bitmap.name
    yield from (lists.name for lists in state.free_lists)
    yield from (heap.name for heap in state.heaps)
    yield from (heap.name for heap in state.subblock_heaps)
    yield from (blocks.name for blocks in state.large_blocks)
