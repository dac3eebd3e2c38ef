"""Bugs planted in copies of the C: a short life on each, which the policy and the checks see."""

from __future__ import annotations

import random

import pytest

from harness.image.kernel_image import KernelImage
from harness.machine.errors import GuestEnded
from harness.machine.pool import Pool
from harness.policy.policies import frame_policy
from harness.workload.operation import Flag
from tests.kernel.planted import SourceCopy
from tests.policy.test_buddy import BuddyMachine
from tests.workload.machine import FramesMachine, Workbench

pytestmark = pytest.mark.slow

MIB = 1 << 20
BUDDY, FRAMES = "mm/frames/buddy.c", "mm/frames/frames.c"
BUGS = {
    "buddies never merge": (BUDDY, "order < MAX_ORDER && is_free", "order < 1 && order && is_free"),
    "the last block freed is the first one given": (BUDDY, "list_add_back(", "list_add_front("),
    "the largest order is refused": (BUDDY, "order <= MAX_ORDER; zone--", "order < 10; zone--"),
    "no zone falls back to the one below": (BUDDY, "if (zone == zones)", "if (zone >= zones)"),
    "any free block is a buddy": (
        BUDDY,
        "mem_map[frame].flags & PAGE_FREE &&\n           mem_map[frame].order == order",
        "mem_map[frame].flags & PAGE_FREE",
    ),
    "a merged-away block keeps its flag": (
        BUDDY,
        "    page->flags = 0;\n    page->order = ORDER_NONE;\n}",
        "    page->order = ORDER_NONE;\n}",
    ),
    "only the first frame is zeroed": (FRAMES, "for (size_t i = 0; i < pages; i++)\n        zero",
                                       "for (size_t i = 0; i < 1; i++)\n        zero"),
    "rounded up frames have no holder": (FRAMES, "mark(address, granted, use)",
                                         "mark(address, pages, use)"),
}  # fmt: skip
HELD_BUGS = {
    "frames that were freed stay held": (
        FRAMES,
        "        held_clear(PHYS_TO_PFN(address), frames_granted(pages));\n",
        "        ;\n",
    ),
    "of a block only the first frame is held": (
        FRAMES, "held_set(PHYS_TO_PFN(address), granted)", "held_set(PHYS_TO_PFN(address), 1)"
    ),
}  # fmt: skip


def live(machine: FramesMachine) -> None:
    """Take and give back blocks of all sizes, the largest one too, then everything of a zone."""
    choice = random.Random(1)
    for _ in range(150):
        size = choice.choice((1, 1, 2, 3, 8, 17, 64))
        machine.alloc(size, choice.choice((0, Flag.DMA, Flag.HIGH, Flag.ZERO)))
        if choice.random() < 0.6:
            machine.free(choice.randrange(16))
    for _ in range(10):
        machine.alloc(1024, 0)
    machine.teardown()


def is_seen(kernel: KernelImage, pool: Pool, append: str) -> bool:
    """Return whether a life on this kernel goes wrong, or what is left is."""
    bench = Workbench(kernel, pool, 24 * MIB, append=append)
    try:
        policy = frame_policy(bench.state)
        assert policy is not None
        kind = BuddyMachine if append == "frames=buddy" else FramesMachine
        live(kind(bench, lambda state: policy))
    except (AssertionError, GuestEnded):
        return True
    return False


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_seen(pool: Pool, source_copy: SourceCopy, name: str) -> None:
    assert is_seen(source_copy.plant(*BUGS[name]), pool, "frames=buddy")


@pytest.mark.parametrize("name", HELD_BUGS)
def test_a_bug_in_what_is_held_is_seen(pool: Pool, source_copy: SourceCopy, name: str) -> None:
    assert is_seen(source_copy.plant(*HELD_BUGS[name]), pool, "frames=pair")


@pytest.mark.parametrize("append", ["frames=buddy", "frames=pair"])
def test_a_right_kernel_goes_through_the_same_life(
    kernel: KernelImage, pool: Pool, append: str
) -> None:
    assert not is_seen(kernel, pool, append)
