"""First fit: the model by itself, and random lives of the kernel's allocator against it."""

from __future__ import annotations

import pytest
from hypothesis import settings

from harness.image.kernel_image import KernelImage
from harness.machine.pool import Pool
from harness.policy.first_fit import FirstFitPolicy
from harness.policy.free_frames import FreeFrames
from tests.workload.machine import MIB, SETTINGS, FramesMachine, Workbench, run

PAGE = 4096
ZONES = (10, 20, 40)
DMA, NORMAL, HIGH = 1, 2, 4
CHOSEN = "frames=bitmap"


@pytest.fixture
def policy() -> FirstFitPolicy:
    """Frames 1, 3, 4, 8 … 11 and 30 … 39 are free."""
    free = {1, 3, 4, *range(8, 12), *range(30, 40)}
    return FirstFitPolicy(FreeFrames(bytes(frame not in free for frame in range(40))), ZONES)


def test_the_lowest_run_that_is_long_enough(policy: FirstFitPolicy) -> None:
    assert [policy.alloc(0, pages) // PAGE for pages in (2, 1, 3, 1)] == [3, 1, 8, 11]
    assert policy.alloc(0, 1) == 0
    policy.free(9 * PAGE, 2)
    assert policy.alloc(0, 2) == 9 * PAGE


@pytest.mark.parametrize(
    ("flags", "pages", "frame"),
    [
        (0, 4, 8), (DMA, 2, 3), (DMA, 3, 0), (DMA | HIGH, 3, 0), (NORMAL, 5, 0),
        (NORMAL | HIGH, 5, 0), (HIGH, 5, 30), (HIGH, 10, 30), (HIGH, 11, 0), (0, 0, 0),
    ],
)  # fmt: skip
def test_the_limit_of_a_wish(policy: FirstFitPolicy, flags: int, pages: int, frame: int) -> None:
    assert policy.alloc(flags, pages) == frame * PAGE


def test_what_is_free_cannot_be_freed(policy: FirstFitPolicy) -> None:
    with pytest.raises(ValueError, match="frames 0x2-0x3 are not all taken"):
        policy.free(2 * PAGE, 2)


@pytest.mark.parametrize(("memory", "examples"), [(4 * MIB, 24), (900 * MIB, 8)])
def test_random_lives(kernel: KernelImage, pool: Pool, memory: int, examples: int) -> None:
    """On a machine that is soon full, and on one with all three zones."""
    bench = Workbench(kernel, pool, memory, append=CHOSEN)
    run(lambda: FramesMachine(bench, FirstFitPolicy.of), settings(SETTINGS, max_examples=examples))
