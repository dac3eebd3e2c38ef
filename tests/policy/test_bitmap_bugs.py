"""Bugs planted in copies of the C of the allocators over a bitmap: one life on each sees them."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from harness.decode.state import MemoryState
from harness.image.kernel_image import KernelImage
from harness.machine.errors import GuestEnded
from harness.machine.pool import Pool
from harness.policy.first_fit import FirstFitPolicy
from harness.policy.next_fit import NextFitPolicy
from harness.policy.protocols import FramePolicy
from harness.workload.operation import Flag, Kind
from tests.kernel.planted import SourceCopy
from tests.workload.machine import MIB, Block, FramesMachine, Workbench

pytestmark = pytest.mark.slow

POLICIES: dict[str, Callable[[MemoryState], FramePolicy]] = {
    "pmm": NextFitPolicy.of,
    "bitmap": FirstFitPolicy.of,
}
MEMORY = 20 * MIB
"""A whole zone, and a part of the next."""
OPERATIONS = 250

BUGS = {
    "only the first bit of a run is tested": (
        "bitmap",
        "frame_bitmap.c",
        "if (behind == first + count)",
        "if (behind > first)",
    ),
    "the search runs past the end of RAM": (
        "pmm",
        "frame_bitmap.c",
        "    if (end > bitmap->frames)\n        end = bitmap->frames;\n",
        "",
    ),
    "the counter is fed with bytes": (
        "bitmap",
        "frame_bitmap.c",
        "bitmap->free -= count;",
        "bitmap->free -= count * 4096;",
    ),
    "the zones are no limit": (
        "bitmap",
        "bitmap.c",
        "zone_end(zone_highest(flags))",
        "zone_end(ZONE_HIGH) + 0 * flags",
    ),
    "the search does not wrap": (
        "pmm",
        "pmm.c",
        "return frame_bitmap_find(taken, 0, reach, count);",
        "return reach > 0 ? 0 : 0;",
    ),
    "a run across the cursor is not seen": (
        "pmm",
        "pmm.c",
        "cursor + count - 1 : limit",
        "cursor : limit",
    ),
}  # fmt: skip


class Life:
    """Allocations and frees that are noted, with what the policy answers."""

    def __init__(self, kernel: KernelImage, pool: Pool, name: str) -> None:
        bench = Workbench(kernel, pool, MEMORY, f"frames={name}")
        self.machine = FramesMachine(bench, POLICIES[name])

    def take(self, size: int, wish: int = 0) -> Block:
        value = self.machine.policy.alloc(wish, size)
        return self.machine.allocate(Kind.FRAMES_ALLOC, value, size, wish)

    def drain(self, *sizes: int) -> list[Block]:
        """Take runs of the lowest zone, of each size until there are none."""
        found: list[Block] = []
        for size in sizes:
            while (block := self.take(size, Flag.DMA)).value:
                found.append(block)
        return found

    def give(self, *blocks: Block) -> None:
        for block in blocks:
            self.machine.give_back(block)


def live(kernel: KernelImage, pool: Pool, name: str) -> None:
    """Exhaust a zone, look for a run across a gap's middle, then fill and free at random."""
    life, chance = Life(kernel, pool, name), random.Random(5)
    blocks = life.drain(300, 33, 7, 1)
    life.give(blocks.pop(4), blocks.pop(4))
    life.give(life.take(100, Flag.DMA))
    blocks.append(life.take(550, Flag.DMA))
    for _ in range(OPERATIONS):
        if chance.random() < 0.5 and blocks:
            life.give(blocks.pop(chance.randrange(len(blocks))))
        else:
            block = life.take(chance.choice((1, 2, 3, 30, 64, 120)), chance.choice((0, Flag.HIGH)))
            blocks += [block] if block.value else []
    life.machine.teardown()


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_seen(pool: Pool, source_copy: SourceCopy, name: str) -> None:
    allocator, file, right, wrong = BUGS[name]
    kernel = source_copy.plant(f"mm/frames/{file}", right, wrong)
    with pytest.raises((AssertionError, GuestEnded)):
        live(kernel, pool, allocator)


@pytest.mark.parametrize("allocator", POLICIES)
def test_without_a_bug_the_same_life_is_silent(
    kernel: KernelImage, pool: Pool, allocator: str
) -> None:
    live(kernel, pool, allocator)
