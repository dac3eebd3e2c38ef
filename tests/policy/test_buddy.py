"""The buddy allocator must return what its policy says, and leave its lists as that does."""

from __future__ import annotations

from collections import OrderedDict

import pytest

from harness.check.inspect import Inspection
from harness.decode.belief.frames import FreeLists
from harness.image.kernel_image import KernelImage
from harness.machine.pool import Pool
from harness.policy.buddy import BuddyPolicy
from harness.policy.policies import frame_policy
from harness.policy.zones import DMA, HIGH, NORMAL
from harness.workload.operation import Kind, operation, operations
from harness.workload.tape import Tape, tape_module
from tests.kernel.session import booted
from tests.workload.machine import FramesMachine, Workbench, run

PAGE = 4096
MIB = 1 << 20
ORDERS = 4


def policy(*blocks: tuple[int, int], zone_of: bytes = b"\1" * 64) -> BuddyPolicy:
    """Return a policy of three zones, orders 0 to 3, and these free blocks: first frame, order.

    All blocks are in the middle zone unless ``zone_of`` says another one.
    """
    lists: list[list[OrderedDict[int, None]]] = [
        [OrderedDict() for _ in range(ORDERS)] for _ in range(3)
    ]
    for frame, order in blocks:
        lists[zone_of[frame]][order][frame] = None
    return BuddyPolicy(lists, zone_of)


def test_the_lower_half_is_kept_and_the_upper_ones_become_free_blocks() -> None:
    buddy = policy((8, 3))
    assert buddy.alloc(0, 1) == 8 * PAGE
    assert buddy.free_blocks()[1] == [[9], [10], [12], []]


def test_the_first_block_of_the_smallest_list_that_is_not_empty_is_taken() -> None:
    buddy = policy((16, 3), (24, 1), (2, 1))
    assert [buddy.alloc(0, 2) for _ in range(3)] == [24 * PAGE, 2 * PAGE, 16 * PAGE]


def test_a_number_of_pages_is_rounded_up() -> None:
    buddy = policy((8, 3))
    assert buddy.alloc(0, 3) == 8 * PAGE
    assert buddy.free_blocks()[1] == [[], [], [12], []]
    buddy.free(8 * PAGE, 3)
    assert buddy.free_blocks()[1] == [[], [], [], [8]]


def test_a_freed_block_joins_free_buddies_of_its_order_only() -> None:
    buddy = policy((9, 0), (10, 1), (14, 1))
    buddy.free(8 * PAGE, 1)
    assert buddy.free_blocks()[1] == [[], [14], [8], []]


def test_blocks_go_to_the_back_of_their_list() -> None:
    buddy = policy((20, 0))
    buddy.free(8 * PAGE, 1)
    buddy.free(2 * PAGE, 1)
    assert [buddy.alloc(0, 1) for _ in range(3)] == [20 * PAGE, 8 * PAGE, 2 * PAGE]


def test_the_largest_blocks_stay_apart() -> None:
    buddy = policy((0, 3))
    buddy.free(8 * PAGE, 8)
    assert buddy.free_blocks()[1] == [[], [], [], [0, 8]]


@pytest.mark.parametrize("pages", [0, 9, 5000, 0xFFFFFFFF])
def test_what_no_block_can_hold_is_not_given(pages: int) -> None:
    assert policy((0, 3), (8, 3)).alloc(0, pages) == 0


@pytest.mark.parametrize(
    ("flags", "frames"),
    [
        (DMA, [0]),
        (NORMAL, [16, 0]),
        (0, [16, 0]),
        (HIGH, [32, 16, 0]),
        (HIGH | NORMAL, [16, 0]),
        (HIGH | DMA, [0]),
    ],
)
def test_zones_below_the_one_wished_for_follow(flags: int, frames: list[int]) -> None:
    zones = policy((0, 0), (16, 0), (32, 0), zone_of=bytes([0] * 16 + [1] * 16 + [2] * 32))
    wanted = [frame * PAGE for frame in frames]
    assert [zones.alloc(flags, 1) for _ in range(len(frames) + 1)] == [*wanted, 0]


class BuddyMachine(FramesMachine):
    """Random lives, at whose end the lists themselves are compared."""

    def finish(self, before: Inspection, after: Inspection) -> None:
        assert isinstance(self.policy, BuddyPolicy)
        assert blocks_of(after.state.free_lists) == self.policy.free_blocks()


def blocks_of(free_lists: tuple[FreeLists, ...]) -> list[list[list[int]]]:
    """Return the first frames of the blocks on a state's lists, by zone and order."""
    found: list[list[list[int]]] = []
    for one in free_lists[0].lists:
        if one.order == 0:
            found.append([])
        found[-1].append(one.frames.tolist())
    return found


@pytest.mark.slow
@pytest.mark.parametrize("memory", [12 * MIB, 24 * MIB, 1024 * MIB])
def test_random_lives_of_blocks(kernel: KernelImage, pool: Pool, memory: int) -> None:
    """On machines with one, two and three zones."""
    bench = Workbench(kernel, pool, memory, append="frames=buddy")
    assert isinstance(frame_policy(bench.state), BuddyPolicy)
    run(lambda: BuddyMachine(bench, BuddyPolicy.of))


def test_every_frame_is_given_in_the_order_that_the_policy_says(
    kernel: KernelImage, pool: Pool
) -> None:
    """Down to the last one, then back in a scattered order, and all blocks are whole again."""
    slots = 4 * MIB // PAGE
    module = tape_module(kernel, 2 * slots, slots)
    with booted(kernel, pool, 4 * MIB, modules=(module,)) as session:
        before = session.assert_sound().state
        buddy, tape = BuddyPolicy.of(before), Tape(session.guest)
        expected = [buddy.alloc(0, 1) for _ in range(slots)]
        assert expected.count(0) == slots - sum(before.free_lists[0].free_frames.values())
        given = tape.run(operations(operation(Kind.FRAMES_ALLOC, i, 1) for i in range(slots)))
        assert given["value"].tolist() == expected
        order = sorted(range(slots), key=lambda slot: slot * 0x9E3779B1 % (1 << 32))
        tape.run(operations(operation(Kind.FRAMES_FREE, i, 1) for i in order))
        for slot in order:
            if expected[slot]:
                buddy.free(expected[slot], 1)
        after = blocks_of(session.assert_sound().state.free_lists)
        assert after == buddy.free_blocks()
        assert [[sorted(one) for one in zone] for zone in after] == [
            [sorted(one) for one in zone] for zone in blocks_of(before.free_lists)
        ]
