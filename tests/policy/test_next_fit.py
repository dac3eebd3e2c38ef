"""Next fit: the model by itself, and random lives of the kernel's allocator against it."""

from __future__ import annotations

import pytest
from hypothesis import settings

from harness.image.kernel_image import KernelImage
from harness.machine.pool import Pool
from harness.policy.free_frames import FreeFrames
from harness.policy.next_fit import NextFitPolicy
from tests.workload.machine import MIB, SETTINGS, FramesMachine, Workbench, run

PAGE = 4096
ZONES = (10, 20, 40)
DMA, HIGH = 1, 4
CHOSEN = "frames=pmm"


def policy(free: set[int], cursor: int = 0) -> NextFitPolicy:
    taken = bytes(frame not in free for frame in range(40))
    return NextFitPolicy(FreeFrames(taken), ZONES, cursor)


def test_the_search_goes_on_behind_the_last_allocation_and_wraps_once() -> None:
    one = policy({1, 2, 3, 12, 13, 15})
    assert [one.alloc(0, pages) // PAGE for pages in (1, 1, 2, 1, 1)] == [1, 2, 12, 15, 3]
    assert one.alloc(0, 1) == 0
    assert one.cursor == 4


def test_a_free_does_not_move_the_cursor() -> None:
    one = policy({1, 2, 3, 4})
    assert one.alloc(0, 2) == PAGE
    one.free(PAGE, 2)
    assert one.alloc(0, 2) == 3 * PAGE
    assert one.alloc(0, 2) == PAGE


def test_a_run_across_the_cursor_is_found_last() -> None:
    one = policy({4, 5, 6, 7}, cursor=6)
    assert one.alloc(0, 4) == 4 * PAGE


def test_a_cursor_beyond_the_limit_begins_at_the_bottom() -> None:
    one = policy({3, 30, 31}, cursor=31)
    assert one.alloc(DMA, 1) == 3 * PAGE
    assert one.alloc(HIGH, 1) == 30 * PAGE


def test_what_is_free_cannot_be_freed() -> None:
    with pytest.raises(ValueError, match="frames 0x5-0x5 are not all taken"):
        policy({5}).free(5 * PAGE, 1)


@pytest.mark.parametrize(("memory", "examples"), [(4 * MIB, 24), (900 * MIB, 8)])
def test_random_lives(kernel: KernelImage, pool: Pool, memory: int, examples: int) -> None:
    """On a machine that is soon full, and on one with all three zones."""
    bench = Workbench(kernel, pool, memory, append=CHOSEN)
    run(lambda: FramesMachine(bench, NextFitPolicy.of), settings(SETTINGS, max_examples=examples))
