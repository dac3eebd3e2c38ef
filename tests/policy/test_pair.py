"""The pair-bitmap buddy must return what its policy says, and leave its lists as that does."""

from __future__ import annotations

import pytest

from harness.check.inspect import Inspection
from harness.decode.belief.frames import FreeLists
from harness.image.kernel_image import KernelImage
from harness.machine.pool import Pool
from harness.policy.pair import PairPolicy, PairZoneLists
from harness.policy.policies import frame_policy
from harness.policy.zones import DMA, HIGH, NORMAL
from tests.workload.machine import MIB, FramesMachine, Workbench, run

PAGE = 4096
ORDERS = 4


def policy(*blocks: tuple[int, int], base: int = 0) -> PairPolicy:
    """Return a policy whose middle zone has orders 0 to 3 and these blocks, given in this order.

    A block is its first frame and its order.
    """
    zone = PairZoneLists(base, [{} for _ in range(ORDERS)])
    for frame, order in blocks:
        zone.lists[order][frame] = None
    return PairPolicy([PairZoneLists(-1, [{}]), zone, PairZoneLists(1 << 20, [{}])])


def test_the_lower_half_is_kept_and_the_upper_ones_become_free_blocks() -> None:
    buddy = policy((8, 3))
    assert buddy.alloc(0, 1) == 8 * PAGE
    assert buddy.free_blocks()[1] == [[9], [10], [12], []]


def test_the_block_that_came_last_to_the_smallest_list_is_taken() -> None:
    buddy = policy((16, 3), (2, 1), (24, 1))
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


def test_the_largest_blocks_stay_apart() -> None:
    buddy = policy((0, 3))
    buddy.free(8 * PAGE, 8)
    assert buddy.free_blocks()[1] == [[], [], [], [8, 0]]


def test_buddies_are_counted_from_the_base() -> None:
    """Frame 5 is the second half of a pair that begins at a base of 4 as well as at one of 0."""
    buddy = policy((6, 0), base=5)
    buddy.free(5 * PAGE, 1)
    assert buddy.free_blocks()[1][:2] == [[], [5]]


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
    zones = PairPolicy([PairZoneLists(base, [{base: None}]) for base in (0, 16, 32)])
    wanted = [frame * PAGE for frame in frames]
    assert [zones.alloc(flags, 1) for _ in range(len(frames) + 1)] == [*wanted, 0]


class PairMachine(FramesMachine):
    """Random lives, at whose end the lists themselves are compared."""

    def finish(self, before: Inspection, after: Inspection) -> None:
        assert isinstance(self.policy, PairPolicy)
        for found, expected in zip(
            blocks_of(after.state.free_lists), self.policy.free_blocks(), strict=True
        ):
            assert found[: len(expected)] == expected
            assert not any(found[len(expected) :])


def blocks_of(free_lists: tuple[FreeLists, ...]) -> list[list[list[int]]]:
    """Return the first frames of the blocks on a state's lists, by zone and order."""
    found: list[list[list[int]]] = []
    for one in free_lists[0].lists:
        if one.order == 0:
            found.append([])
        found[-1].append(one.frames.tolist())
    return found


@pytest.mark.slow
@pytest.mark.parametrize("memory", [12 * MIB, 19 * MIB, 1000 * MIB])
def test_random_lives_of_blocks(kernel: KernelImage, pool: Pool, memory: int) -> None:
    """On machines with one, two and three zones, none of which is a power of two large."""
    bench = Workbench(kernel, pool, memory, append="frames=pair")
    run(lambda: PairMachine(bench, PairPolicy.of))


def test_the_policy_of_a_boot_with_it_in_charge(kernel: KernelImage, pool: Pool) -> None:
    bench = Workbench(kernel, pool, append="frames=pair")
    assert isinstance(frame_policy(bench.state), PairPolicy)
