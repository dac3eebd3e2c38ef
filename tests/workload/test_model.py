"""Tapes on slab caches and user space, verified as those on frames and heaps are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.image.kernel_image import KernelImage
from harness.machine.pool import Pool
from harness.workload.follow import follow
from harness.workload.model import model_for
from harness.workload.operation import FAULT, Flag, Kind, Operations, operation, operations
from harness.workload.tape import tape_module
from harness.workload.verify import TapeVerdict, verify_tape
from tests.kernel.layouts import layout_of
from tests.kernel.session import MIB, PAGE, Session, booted

SLOTS = 64
BOTH = Flag.FILL | Flag.CHECK
LENGTH = 600
PLENTY = 1 << 20
Item = tuple[int, int, int, int, int]


def slab_tape(sizes: list[int]) -> Operations:
    """Return random lives of objects of all caches among those of blocks of the heap."""
    choose = np.random.Generator(np.random.PCG64(2))
    live: dict[int, Item] = {}
    items: list[Item] = []
    for slot, cache, what in choose.integers(0, (SLOTS, len(sizes), 20), (LENGTH, 3)).tolist():
        if slot in live:
            items.append(live.pop(slot))
        elif what == 0:
            items.append(operation(Kind.SLAB_REAP, slot, cache=cache))
        elif what == 1:
            items.append(operation(Kind.SLAB_GROW, slot, cache=cache))
        elif what < 6:
            items.append(operation(Kind.HEAP_ALLOC, slot, 100 * what, BOTH))
            live[slot] = operation(Kind.HEAP_FREE, slot, 100 * what, BOTH)
        else:
            items.append(operation(Kind.SLAB_ALLOC, slot, sizes[cache], BOTH, cache))
            live[slot] = operation(Kind.SLAB_FREE, slot, sizes[cache], BOTH, cache)
    return operations(items)


def taped(kernel: KernelImage, pool: Pool, append: str) -> Session:
    module = tape_module(kernel, LENGTH, SLOTS)
    return booted(kernel, pool, 32 * MIB, append=append, modules=(module,))


@pytest.mark.parametrize("append", ["", "frames=pair heap=malloc", "mm=apoptos", "mm=oct"])
def test_a_tape_on_slab_caches_is_followed(kernel: KernelImage, pool: Pool, append: str) -> None:
    """With malloc the heap has some of the caches: both ways to one lead to the same objects."""
    with taped(kernel, pool, append) as session:
        session.ok("slab create mine 40 align 64")
        caches = session.assert_sound().state.caches[0].caches
        said = verify_tape(session.guest, slab_tape([cache.size for cache in caches]))
        assert said.violations == ()
        assert said.followed
        assert set(said.blocks["kind"].tolist()) == {Kind.HEAP_ALLOC, Kind.SLAB_ALLOC}


def test_another_object_than_the_policy_s_is_seen(kernel: KernelImage, pool: Pool) -> None:
    tape = operations([operation(Kind.SLAB_ALLOC, slot, 40) for slot in range(8)])
    with taped(kernel, pool, "") as session:
        session.ok("slab create mine 40")
        number = len(session.assert_sound().state.caches[0].caches) - 1
        tape["cache"] = number
        said = verify_tape(session.guest, tape)
        assert (said.violations, said.followed) == ((), True)
    assert differs_at(tape, said, 5, 4) == 5


def differs_at(tape: Operations, said: TapeVerdict, position: int, by: int) -> int | None:
    """Return where the policies see a result that is ``by`` more than it was."""
    results = said.results.copy()
    results["value"][position] += by
    model = model_for(tape, said.before.state, PLENTY)
    assert model is not None
    differs = follow(tape, results, model)
    return None if differs is None else differs.position


def test_a_cache_that_there_is_not_has_no_policy(kernel: KernelImage, pool: Pool) -> None:
    tape = operations([operation(Kind.SLAB_ALLOC, 0, 40, cache=60000)])
    with taped(kernel, pool, "") as session:
        assert model_for(tape, session.assert_sound().state, PLENTY) is None


def user_tape(start: int) -> Operations:
    """Return regions in two spaces, touched within and behind; some are left at the end."""
    return operations(
        [
            operation(Kind.USER_ALLOC, 0, 3),
            operation(Kind.TOUCH_READ, 63, start + 8),
            operation(Kind.TOUCH_WRITE, 63, start + PAGE, cache=77),
            operation(Kind.TOUCH_READ, 63, start + PAGE),
            operation(Kind.TOUCH_READ, 63, start + 3 * PAGE),
            operation(Kind.SPACE_CREATE, 1),
            operation(Kind.SPACE_SWITCH, 1),
            operation(Kind.USER_ALLOC, 2, 1),
            operation(Kind.TOUCH_WRITE, 63, start, cache=5),
            operation(Kind.USER_ALLOC, 3, 2),
            operation(Kind.USER_FREE, 2),
            operation(Kind.SPACE_SWITCH, 62),
            operation(Kind.TOUCH_READ, 63, start + PAGE),
        ]
    )


@pytest.mark.parametrize("layout", ["kernel", "identity_kernel"])
def test_a_tape_on_user_space_is_followed(
    request: pytest.FixtureRequest, pool: Pool, layout: str
) -> None:
    kernel: KernelImage = request.getfixturevalue(layout)
    start = layout_of(kernel).user.start
    tape = user_tape(start)
    with taped(kernel, pool, "") as session:
        said = verify_tape(session.guest, tape)
    assert (said.violations, said.followed) == ((), True)
    values = [start, 0, 77, 77, FAULT, 1, 1, start, 5, start + PAGE, 0, 0, 77]
    assert said.results["value"].tolist() == values
    for position in (0, 3, 5, 7):
        assert differs_at(tape, said, position, 1) == position


def test_user_space_is_followed_only_where_all_is_known(kernel: KernelImage, pool: Pool) -> None:
    start = layout_of(kernel).user.start
    tape = user_tape(start)
    with taped(kernel, pool, "") as session:
        state = session.assert_sound().state
        assert model_for(tape, state, len(tape)) is None, "memory may run out"
        beyond = operations([operation(Kind.TOUCH_READ, 0, layout_of(kernel).user.stop)])
        assert model_for(beyond, state, PLENTY) is None, "the kernel's pages are no user's"
        mixed = np.concatenate((tape, operations([operation(Kind.FRAMES_ALLOC, 9, 1)])))
        assert model_for(mixed, state, PLENTY) is None, "both take frames"
        verify_tape(session.guest, tape)
        assert model_for(tape, session.assert_sound().state, PLENTY) is None, "words are unknown"
        no_spaces = replace(state, address_spaces=None)
        assert model_for(tape, no_spaces, PLENTY) is None


def test_blocks_of_the_heap_in_user_space_are_left_where_they_are(
    kernel: KernelImage, pool: Pool
) -> None:
    items = [operation(Kind.USER_HEAP_ALLOC, slot, 100 + slot, BOTH) for slot in range(20)]
    items += [operation(Kind.USER_HEAP_FREE, slot, 100 + slot, BOTH) for slot in range(0, 20, 2)]
    with taped(kernel, pool, "") as session:
        said = verify_tape(session.guest, operations(items))
        assert said.violations == ()
        assert not said.followed
        assert len(said.blocks) == 20
