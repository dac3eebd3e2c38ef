"""The hand-over from an early allocator gives what merging after each single frame would give."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import pytest

from harness.check.inspect import inspect_guest
from harness.image.kernel_image import KernelImage
from harness.machine.pool import Pool
from harness.maps.notation import parse_compact
from tests.kernel.early import ENDED, Early, frame_table_frames, reserved_frames, stopped
from tests.kernel.layouts import both_layouts
from tests.kernel.session import MAX_ORDER, MIB, PAGE

pytestmark = both_layouts

EARLY = ("bootmem", "memblock")
ZONE_ENDS = (16 * MIB, 896 * MIB, 4096 * MIB)
ISLANDS = ", ".join(
    f"{start:x}-{start + PAGE * (1 + index % 5):x} usable"
    for index, start in enumerate(range(12 * MIB, 20 * MIB, 7 * PAGE))
)
"""One to five frames and then none, across the border between two zones."""

Lists = dict[tuple[int, int], list[int]]
"""Frames of the free blocks by zone and order, as they follow each other on the list."""


def zone_of(frame: int) -> int:
    return next(zone for zone, end in enumerate(ZONE_ENDS) if frame * PAGE < end)


def merged_one_by_one(frames: Iterable[int]) -> Lists:
    """Free frames singly, each merged as far as it goes and put at the end of its list.

    A dict stands for a list: it keeps the order in which its keys came.
    """
    lists: defaultdict[tuple[int, int], dict[int, None]] = defaultdict(dict)
    for frame in frames:
        zone, block, order = zone_of(frame), frame, 0
        while order < MAX_ORDER and block ^ 1 << order in lists[zone, order]:
            del lists[zone, order][block ^ 1 << order]
            block &= ~(1 << order)
            order += 1
        lists[zone, order][block] = None
    return {place: list(blocks) for place, blocks in lists.items() if blocks}


def hand_over(early: Early) -> Lists:
    """Let the hand-over run, and nothing after it; return the allocator's lists."""
    address = early.guest.kernel.symbol("paging_init")
    early.stub.insert_breakpoint(address)
    early.stub.resume()
    early.stub.wait_for_stop(ENDED)
    early.stub.remove_breakpoint(address)
    (allocator,) = inspect_guest(early.guest).state.free_lists
    return {(each.zone, each.order): each.frames.tolist() for each in allocator.lists
            if len(each.frames)}  # fmt: skip


def assert_same_as_one_by_one(early: Early) -> None:
    """Bootmem's own frames come last; memblock has none."""
    if early.word("bootmem"):
        taken, bitmap = early.taken(), early.bitmap_frames()
    else:
        taken, bitmap = reserved_frames(early) | frame_table_frames(early), range(0)
    usable = (frame for run in early.guest.memory_map.usable_frames() for frame in run)
    frames = sorted(set(usable) - taken)
    assert len(frames) > 100
    assert hand_over(early) == merged_one_by_one([*frames, *bitmap])


@pytest.mark.parametrize("allocator", EARLY)
@pytest.mark.parametrize("memory", [4 * MIB, 17 * MIB, 64 * MIB, 898 * MIB])
def test_blocks_and_their_order_for_every_size(
    kernel: KernelImage, pool: Pool, memory: int, allocator: str
) -> None:
    """Also where a zone ends in the middle of free frames."""
    with stopped(kernel, pool, memory, append=f"early={allocator}") as early:
        assert_same_as_one_by_one(early)


@pytest.mark.parametrize("allocator", EARLY)
def test_blocks_and_their_order_between_islands(
    kernel: KernelImage, pool: Pool, allocator: str
) -> None:
    memory_map = parse_compact(f"0-9f000 usable, 100000-a01000 usable, {ISLANDS}", "here")[0]
    with stopped(kernel, pool, map=memory_map, append=f"early={allocator}") as early:
        assert_same_as_one_by_one(early)
