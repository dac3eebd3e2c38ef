"""kmalloc must return what its policy says: first fit over areas, until the frames run out."""

from __future__ import annotations

import pytest

from harness.decode.state import MemoryState
from harness.image.kernel_image import KernelImage
from harness.machine.pool import Pool
from harness.policy.kmalloc import KmallocPolicy
from harness.policy.policies import frame_policy, heap_policy
from harness.policy.protocols import HeapPolicy
from harness.workload.operation import Kind, operation, operations
from harness.workload.tape import Tape, tape_module
from tests.kernel.session import MIB, PAGE, booted
from tests.workload.machine import HeapMachine, Workbench, run

SLOTS = 1024


def policy_of(state: MemoryState) -> HeapPolicy:
    frames = frame_policy(state)
    assert frames is not None
    heap = heap_policy(state, frames)
    assert isinstance(heap, KmallocPolicy)
    return heap


@pytest.mark.parametrize("frames", ["buddy", "pmm"])
def test_random_lives_of_blocks(kernel: KernelImage, pool: Pool, frames: str) -> None:
    bench = Workbench(kernel, pool, append=f"frames={frames}")
    run(lambda: HeapMachine(bench, policy_of))


def test_random_lives_where_memory_is_scarce(kernel: KernelImage, pool: Pool) -> None:
    """Blocks, page tables and records of areas compete for the last frames."""
    bench = Workbench(kernel, pool, 2 * MIB)
    run(lambda: HeapMachine(bench, policy_of))


@pytest.mark.parametrize("size", [1, 5000, 100000])
def test_memory_is_used_up_and_comes_back(kernel: KernelImage, pool: Pool, size: int) -> None:
    """To the last frame, block by block as the policy says; the records of areas stay."""
    with booted(kernel, pool, 3 * MIB, modules=(tape_module(kernel, SLOTS, SLOTS),)) as session:
        before = session.assert_sound().state
        heap = policy_of(before)
        expected = [heap.alloc(size) for _ in range(SLOTS)]
        assert expected[-1] == 0
        tape = Tape(session.guest)
        allocs = tape.run(operations(operation(Kind.HEAP_ALLOC, i, size) for i in range(SLOTS)))
        assert allocs["value"].tolist() == expected
        session.assert_sound()
        order = sorted(range(SLOTS), key=lambda slot: slot * 0x9E3779B1 % (1 << 32))
        tape.run(operations(operation(Kind.HEAP_FREE, slot, size) for slot in order))
        after = session.assert_sound().state
        grown = records(after) - records(before)
        assert session.zone().free == sum(before.free_lists[0].free_frames.values()) - grown


def records(state: MemoryState) -> int:
    """Return how many frames hold records that were not there when the frame allocator began."""
    return sum(len(one) for m in state.metadata if m.owner for one in m.storage) // PAGE
