"""malloc must return what its policy says, over frames that are rounded up or are not."""

from __future__ import annotations

import pytest

from harness.decode.state import MemoryState
from harness.image.kernel_image import KernelImage
from harness.machine.pool import Pool
from harness.policy.malloc import MallocPolicy
from harness.policy.policies import frame_policy, heap_policy
from harness.policy.protocols import FramePolicy, HeapPolicy
from harness.workload.operation import Kind, operation, operations
from harness.workload.tape import Tape, tape_module
from tests.kernel.session import MIB, booted
from tests.workload.machine import HeapMachine, Workbench, run

SLOTS = 16384


def frames_of(state: MemoryState) -> FramePolicy:
    frames = frame_policy(state)
    assert frames is not None
    return frames


def policy_of(state: MemoryState) -> HeapPolicy:
    heap = heap_policy(state, frames_of(state))
    assert isinstance(heap, MallocPolicy)
    return heap


@pytest.mark.parametrize("frames", ["buddy", "pmm"])
def test_random_lives_of_blocks(kernel: KernelImage, pool: Pool, frames: str) -> None:
    bench = Workbench(kernel, pool, append=f"heap=malloc frames={frames}")
    run(lambda: HeapMachine(bench, policy_of))


def test_random_lives_where_memory_is_scarce(kernel: KernelImage, pool: Pool) -> None:
    bench = Workbench(kernel, pool, 2 * MIB, append="heap=malloc")
    run(lambda: HeapMachine(bench, policy_of))


@pytest.mark.parametrize("size", [16, 200, 512, 513, 5000])
def test_memory_is_used_up_and_comes_back(kernel: KernelImage, pool: Pool, size: int) -> None:
    """To the last frame, block by block as the policy says; then all of it is free again."""
    with booted(
        kernel, pool, 3 * MIB, append="heap=malloc", modules=(tape_module(kernel, SLOTS, SLOTS),)
    ) as session:
        slots = range(SLOTS)
        before = session.assert_sound().state
        hold = [] if size >= 200 else session.drain(4)
        heap = policy_of(session.assert_sound().state)
        expected = [heap.alloc(size) for _ in slots]
        assert expected[-1] == 0
        tape = Tape(session.guest)
        allocs = tape.run(operations(operation(Kind.HEAP_ALLOC, slot, size) for slot in slots))
        assert allocs["value"].tolist() == expected
        session.assert_sound()
        order = sorted(slots, key=lambda slot: slot * 0x9E3779B1 % (1 << 32))
        tape.run(operations(operation(Kind.HEAP_FREE, slot, size) for slot in order))
        session.assert_sound()
        for number in range(4, 10):
            session.ok(f"slab reap malloc-{1 << number}")
        session.free_all((block, 4) for block in hold)
        assert session.zone().free == sum(before.free_lists[0].free_frames.values())
        assert session.ok("heap").text.startswith("heap=malloc blocks=0 bytes=0 frames=0")
        session.assert_sound()
