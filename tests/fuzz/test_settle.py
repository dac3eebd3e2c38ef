"""Steps become operations on what one kernel has: its caches, and its user space."""

from __future__ import annotations

from dataclasses import replace

from harness.check.inspect import inspect_guest
from harness.decode.state import MemoryState
from harness.fuzz.settle import settled
from harness.image.kernel_image import KernelImage
from harness.machine.pool import Pool
from harness.machine.spec import MachineSpec
from harness.workload.operation import Kind, operation

MIB = 1 << 20
STEPS = (
    operation(Kind.SLAB_ALLOC, 1, cache=7),
    operation(Kind.SLAB_FREE, 1, cache=7),
    operation(Kind.HEAP_ALLOC, 2, 100, cache=9),
    operation(Kind.TOUCH_READ, 0, 8),
    operation(Kind.TOUCH_WRITE, 0, 0xFFFFFFFC, cache=5),
)


def state_of(kernel: KernelImage, pool: Pool, append: str) -> MemoryState:
    with pool.boot(MachineSpec(kernel, 16 * MIB, append=append)) as guest:
        assert guest.run_until_ready().alive
        guest.pause()
        return inspect_guest(guest).state


def test_a_cache_is_one_that_there_is_and_its_objects_have_their_size(
    kernel: KernelImage, pool: Pool
) -> None:
    state = state_of(kernel, pool, "heap=malloc")
    sizes = [cache.size for cache in state.caches[0].caches]
    assert len(sizes) == 7
    done = settled(STEPS, state)
    assert done["cache"][:3].tolist() == [0, 0, 9]
    assert done["size"][:3].tolist() == [sizes[0], sizes[0], 100]
    one = settled((operation(Kind.SLAB_GROW, 0, cache=3),), state)
    assert (one["cache"][0], one["size"][0]) == (3, sizes[3])


def test_touches_lie_in_user_space(kernel: KernelImage, pool: Pool) -> None:
    state = state_of(kernel, pool, "")
    assert state.address_spaces is not None
    [users] = [part for part in state.address_spaces.map if part.user]
    reads, writes = settled(STEPS, state)["size"][3:].tolist()
    assert reads == users.start + 8
    assert users.start <= writes < users.end
    assert writes % 4 == 0


def test_what_a_kernel_has_not_is_left_out(kernel: KernelImage, pool: Pool) -> None:
    state = replace(state_of(kernel, pool, ""), caches=(), address_spaces=None)
    assert settled(STEPS, state)["kind"].tolist() == [Kind.HEAP_ALLOC]
