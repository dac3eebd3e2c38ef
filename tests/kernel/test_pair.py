"""The buddy allocator over a pair bitmap: its contract, asked through the monitor.

Each thing that the published allocator of this design gets wrong has a test here or beside this
file whose docstring says what goes wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest

from harness.image.kernel_image import KernelImage
from harness.machine.pool import Pool
from harness.maps.notation import parse_compact
from harness.workload.operation import Kind, operation, operations
from harness.workload.tape import Tape, tape_module
from tests.kernel.pairs import (
    CHOSEN,
    DIRECT_MAP_END,
    DMA_END,
    LARGE,
    MAGIC,
    MEDIUM,
    NODE,
    SMALL,
    ZONES,
)
from tests.kernel.session import MAX_ORDER, MIB, PAGE, Session, Zone, booted


@pytest.fixture
def medium(kernel: KernelImage, pool: Pool) -> Iterator[Session]:
    """A machine with two zones."""
    with booted(kernel, pool, MEDIUM, append=CHOSEN) as session:
        yield session


def all_zones(session: Session) -> list[Zone]:
    return [session.zone(name) for name in ZONES]


def free_frames(session: Session) -> int:
    return session.ok("frames").number("free")


@pytest.mark.parametrize("order", range(MAX_ORDER + 1))
def test_a_block_is_aligned_to_its_size_and_comes_back(medium: Session, order: int) -> None:
    before = all_zones(medium)
    block = medium.alloc(order)
    assert block % (PAGE << order) == 0
    assert block + (PAGE << order) <= MEDIUM
    assert sum(zone.free for zone in before) - free_frames(medium) == 1 << order
    medium.assert_sound()
    medium.free(block, order)
    assert all_zones(medium) == before
    medium.assert_sound()


@pytest.mark.parametrize("order", [11, 12, 31, 32, 0xFFFFFFFF])
def test_an_order_beyond_the_largest_is_refused(medium: Session, order: int) -> None:
    before = all_zones(medium)
    assert medium.error(f"alloc {order}") == "memory"
    assert all_zones(medium) == before
    medium.assert_sound()


@pytest.mark.parametrize(("count", "frames"), [(1, 1), (2, 2), (3, 4), (5, 8), (513, 1024)])
def test_a_number_of_frames_is_rounded_up(medium: Session, count: int, frames: int) -> None:
    before = free_frames(medium)
    block = medium.ok(f"pages {count}")
    assert block.number("count") == frames
    assert before - free_frames(medium) == frames
    medium.assert_sound()
    medium.ok(f"freepages {block.values['physical']} {count}")
    assert free_frames(medium) == before


@pytest.mark.parametrize("count", [0, 1025, 0xFFFFFFFF])
def test_a_senseless_number_of_frames_is_refused(medium: Session, count: int) -> None:
    assert medium.error(f"pages {count}") == "memory"


def test_live_blocks_never_overlap(medium: Session) -> None:
    answers = medium.answers(f"alloc {order}" for order in (3, 0, 5, 1, 0, 2, 7, 4, 0, 6) * 6)
    blocks = sorted((a.number("physical"), a.number("order")) for a in answers if a.ok)
    assert len(blocks) == len(answers)
    for (low, order), (high, _) in pairwise(blocks):
        assert low + (PAGE << order) <= high
    medium.assert_sound()


def test_the_block_that_came_last_is_given_first(medium: Session) -> None:
    blocks = [medium.alloc(3) for _ in range(12)]
    apart = [block for block in blocks if block % (PAGE << 4) and block ^ (PAGE << 3) in blocks]
    assert len(apart) > 2
    medium.free_all((block, 3) for block in apart)
    assert [medium.alloc(3) for _ in apart] == apart[::-1]


@pytest.mark.slow
def test_every_frame_can_be_had_alone_and_given_back(kernel: KernelImage, pool: Pool) -> None:
    """Freed in an order that is neither the lists' nor the addresses', all blocks merge again."""
    with booted(kernel, pool, SMALL, append=CHOSEN) as session:
        before = all_zones(session)
        frames = session.drain(0)
        assert len(frames) == len(set(frames)) == before[0].free
        assert free_frames(session) == 0
        session.assert_sound()
        odd, even = frames[1::2], frames[::2]
        session.free_all((frame, 0) for frame in odd[::-1] + even)
        assert all_zones(session) == before
        session.assert_sound()


@pytest.mark.slow
@pytest.mark.parametrize("memory", [17 * MIB, LARGE])
def test_all_memory_can_be_had_in_blocks_and_given_back(
    kernel: KernelImage, pool: Pool, memory: int
) -> None:
    with booted(kernel, pool, memory, append=CHOSEN) as session:
        before = all_zones(session)
        blocks = session.exhaust("high")
        assert sum(1 << order for _, order in blocks) == sum(zone.free for zone in before)
        assert free_frames(session) == 0
        session.assert_sound()
        session.free_all(sorted(blocks, key=lambda block: block[0] * 0x9E3779B1 % (1 << 32)))
        assert all_zones(session) == before
        session.assert_sound()


@pytest.mark.parametrize(
    ("flags", "low", "end"),
    [
        (("dma",), 0, DMA_END),
        ((), DMA_END, DIRECT_MAP_END),
        (("high",), DIRECT_MAP_END, LARGE),
        (("dma", "high"), 0, DMA_END),
        (("normal", "high"), DMA_END, DIRECT_MAP_END),
    ],
)
def test_a_zone_is_chosen_and_kept_to(
    kernel: KernelImage, pool: Pool, flags: tuple[str, ...], low: int, end: int
) -> None:
    with booted(kernel, pool, LARGE, append=CHOSEN) as session:
        for order in (0, 5, MAX_ORDER):
            block = session.alloc(order, *flags)
            assert low <= block
            assert block + (PAGE << order) <= end
        session.assert_sound()


def test_an_empty_zone_falls_back_downward_and_never_upward(medium: Session) -> None:
    blocks = medium.exhaust("normal")
    assert {block < DMA_END for block, _ in blocks} == {True, False}
    medium.free_all(block for block in blocks if block[0] >= DMA_END)
    assert medium.error("alloc 0 dma") == "memory"
    medium.assert_sound()


def test_freed_buddies_merge(medium: Session) -> None:
    """An address in place of a page's number finds no buddy ever."""
    before = all_zones(medium)
    pieces = [medium.alloc(0) for _ in range(64)]
    medium.free_all((block, 0) for block in pieces)
    assert all_zones(medium) == before


def test_each_pair_has_its_own_bit(medium: Session) -> None:
    """A map indexed by addresses would need 4096 times the room, or flip other pairs' bits."""
    zone = medium.ok("pair map dma")
    frames = zone.number("size") // PAGE
    pairs = sum(frames >> order + 1 for order in range(MAX_ORDER))
    assert zone.number("map_size") == -(-pairs // 8)
    for order in range(MAX_ORDER):
        medium.alloc(order, "dma")
        medium.alloc(order, "normal")
        medium.assert_sound()


def test_buddies_are_counted_from_an_aligned_base(kernel: KernelImage, pool: Pool) -> None:
    """Whatever address memory begins at: XOR on an address needs a base that is a multiple."""
    text = "0-9f000 usable, 100000-180000 usable, 1003000-1074000 usable"
    with booted(kernel, pool, MEDIUM, map=parse_compact(text, "here")[0], append=CHOSEN) as session:
        before = all_zones(session)
        assert session.ok("pair map normal").number("base") == DMA_END
        session.free_all((frame, 0) for frame in session.drain(0, "normal")[::-1])
        assert all_zones(session) == before
        session.assert_sound()


@pytest.mark.parametrize("memory", [size * MIB for size in (3, 9, 12, 31, 100, 192, 897)])
def test_ram_above_a_power_of_two_is_not_wasted(
    kernel: KernelImage, pool: Pool, memory: int
) -> None:
    """Each size ends its boot with all that is usable managed, and its last frame can be had."""
    with booted(kernel, pool, memory, append=CHOSEN) as session:
        session.assert_sound()
        blocks = session.exhaust("high")
        assert max(block + (PAGE << order) for block, order in blocks) == memory
        session.assert_sound()


def test_a_base_is_not_rounded_up_to_the_largest_block(kernel: KernelImage, pool: Pool) -> None:
    """That throws up to 4 MiB away."""
    text = "0-9f000 usable, 100000-400000 usable, 1001000-1fff000 usable"
    memory_map = parse_compact(text, "here")[0]
    with booted(kernel, pool, MEDIUM, map=memory_map, append=CHOSEN) as session:
        session.assert_sound()
        frames = sum(1 << order for _, order in session.exhaust("high"))
        assert frames > sum(map(len, memory_map.usable_frames())) - MIB // PAGE


@pytest.mark.parametrize(
    ("zone", "above"), [("normal", 64 * MIB), ("high", DIRECT_MAP_END), ("high", 960 * MIB)]
)
def test_nodes_are_not_written_through_physical_addresses(
    kernel: KernelImage, pool: Pool, zone: str, above: int
) -> None:
    """Beyond 8 MiB that faults; beyond the direct map there is no pointer at all."""
    with booted(kernel, pool, LARGE, append=CHOSEN) as session:
        blocks = session.drain(MAX_ORDER, zone)
        block = next(block for block in blocks if above <= block < above + 64 * MIB)
        session.free(block, MAX_ORDER)
        node = session.ok(f"pair node {block:#x}")
        assert node.number("order") == MAX_ORDER
        session.guest.pause()
        found = NODE.unpack(session.guest.ram.read(block, NODE.size))
        assert found == (node.number("next"), node.number("previous"), MAGIC, MAX_ORDER)
        session.assert_sound()


def test_merged_blocks_merge_again(medium: Session) -> None:
    """A buddy that was merged away and still counts as allocated is never merged again."""
    before = all_zones(medium)
    for _ in range(3):
        pieces = [(medium.alloc(order), order) for order in (0, 3, 0, 1, 9, 0)]
        medium.free_all(pieces[::-1])
        assert all_zones(medium) == before
        medium.assert_sound()


def test_merging_stops_at_the_largest_order(medium: Session) -> None:
    blocks = medium.drain(MAX_ORDER)
    halves = [block for block in blocks if block ^ (PAGE << MAX_ORDER) in blocks]
    assert halves
    medium.free_all((block, MAX_ORDER) for block in halves)
    assert sum(zone.blocks[MAX_ORDER] for zone in all_zones(medium)) == len(halves)
    medium.assert_sound()


def test_buddies_merge_where_a_hole_is_beside_them(kernel: KernelImage, pool: Pool) -> None:
    """A reserved frame in the middle stays alone; what surrounds it merges as far as it can."""
    text = "0-9f000 usable, 100000-2000000 usable, 1555000-1556000 bad"
    with booted(kernel, pool, MEDIUM, map=parse_compact(text, "here")[0], append=CHOSEN) as session:
        before = all_zones(session)
        session.free_all(reversed(session.exhaust()))
        assert all_zones(session) == before
        session.assert_sound()
        ending = session.panic("free 0x1555000 0")
        assert ending.message == "pair: frame 0x1555 freed, which was never managed"


def test_merging_stops_at_a_zones_border(kernel: KernelImage, pool: Pool) -> None:
    text = "0-9f000 usable, 100000-400000 usable, fe0000-1400000 usable"
    with booted(kernel, pool, MEDIUM, map=parse_compact(text, "here")[0], append=CHOSEN) as session:
        below = session.ok("pair node 0xfe0000").number("order")
        assert below == 5
        session.free_all(session.exhaust())
        assert session.ok("pair node 0xfe0000").number("order") == below
        session.assert_sound()


def test_a_zone_smaller_than_a_large_block(kernel: KernelImage, pool: Pool) -> None:
    """17 MiB: of the normal zone there is 1 MiB, whose largest block is of order 8."""
    with booted(kernel, pool, 17 * MIB, append=CHOSEN) as session:
        assert session.ok("pair map normal").number("max_order") == 8
        assert session.ok("pair map high").number("map_size") == 0
        before = all_zones(session)
        session.free_all(session.exhaust()[::-1])
        assert all_zones(session) == before
        session.assert_sound()


def test_nothing_but_a_node_is_written_into_a_free_block(kernel: KernelImage, pool: Pool) -> None:
    with booted(kernel, pool, LARGE, append=CHOSEN) as session:
        blocks = [session.alloc(3, zone) for zone in ZONES]
        session.guest.pause()
        for block in blocks:
            session.guest.ram.write(block, bytes(range(256)) * (8 * PAGE // 256))
        session.free_all((block, 3) for block in blocks)
        again = [(session.alloc(0, zone), zone) for zone in ZONES]
        session.free_all((block, 0) for block, _ in again)
        session.guest.pause()
        for block in blocks:
            for frame in range(block, block + 8 * PAGE, PAGE):
                found = session.guest.ram.read(frame, PAGE)
                assert found[NODE.size :] == (bytes(range(256)) * 16)[NODE.size :]


def test_an_allocated_block_does_not_look_free(medium: Session) -> None:
    """The next owner may leave the first bytes as they are."""
    block = medium.alloc(4)
    medium.guest.pause()
    assert NODE.unpack(medium.guest.ram.read(block, NODE.size))[2] != MAGIC
    assert medium.error(f"pair node {block:#x}") == "state"


def test_what_looks_like_a_node_is_no_free_block(medium: Session) -> None:
    """A block may hold a copy of a free block's first bytes."""
    block, free = medium.alloc(0), medium.alloc(0)
    apart = medium.alloc(0)
    medium.free(free, 0)
    medium.guest.pause()
    node = medium.guest.ram.read(free, NODE.size)
    medium.guest.ram.write(block, node)
    medium.guest.ram.write(apart, NODE.pack(0, 0, MAGIC, 0))
    medium.free(apart, 0)
    medium.free(block, 0)
    medium.assert_sound()


@pytest.mark.parametrize("zone", ["normal", "high"])
def test_no_cost_grows_with_memory(kernel: KernelImage, pool: Pool, zone: str) -> None:
    """The dearest of the same operations, with 64 MiB of the zone and with all that there is.

    How blocks lie at the start makes some difference, 45 times the memory makes none.
    """
    base = DMA_END if zone == "normal" else DIRECT_MAP_END
    small, large = (
        max(instructions(kernel, pool, memory, zone)) for memory in (base + 64 * MIB, 3072 * MIB)
    )
    assert large < 1.5 * small


def instructions(kernel: KernelImage, pool: Pool, memory: int, zone: str) -> list[int]:
    """Return what each of some operations takes."""
    flag = {"normal": 2, "high": 4}[zone]
    lives = [operation(Kind.FRAMES_ALLOC, slot, 1 << slot % 4, flag) for slot in range(64)]
    deaths = [operation(Kind.FRAMES_FREE, slot * 37 % 64, 1 << slot * 37 % 4) for slot in range(64)]
    module = tape_module(kernel, 256, 256)
    with booted(kernel, pool, memory, append=CHOSEN, modules=(module,), icount=True) as session:
        results = Tape(session.guest).run(operations(lives + deaths))
        return [int(ticks) for ticks in np.asarray(results["ticks"])]


@pytest.mark.parametrize("path", ["486,-pse", "486"])
def test_a_cpu_without_large_pages(kernel: KernelImage, pool: Pool, path: str) -> None:
    with booted(kernel, pool, 64 * MIB, append=CHOSEN, cpu=path) as session:
        session.free_all(session.exhaust())
        session.assert_sound()


def test_a_list_can_be_followed_by_hand(medium: Session) -> None:
    blocks = []
    found = medium.ok(f"pair list dma {MAX_ORDER}")
    block = found.number("first")
    while block:
        blocks.append(block)
        block = medium.ok(f"pair node {block:#x}").number("next")
    assert len(set(blocks)) == found.number("blocks") == medium.zone("dma").blocks[MAX_ORDER] > 1


def test_the_command_answers_for_its_own_design_only(kernel: KernelImage, pool: Pool) -> None:
    with booted(kernel, pool, MEDIUM, append="frames=buddy") as session:
        assert session.error("pair map dma") == "state"


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("pair list low 0", "usage"),
        ("pair list dma", "usage"),
        ("pair list dma many", "usage"),
        ("pair list dma 11", "range"),
        ("pair bits dma", "usage"),
        ("pair map dma 0", "usage"),
        ("pair map all", "usage"),
        ("pair node x", "usage"),
        ("pair node 0x1000001", "range"),
        ("pair node 0xa0000", "range"),
        ("pair node 0xfffff000", "range"),
    ],
)
def test_the_command_refuses_what_it_does_not_know(
    medium: Session, command: str, code: str
) -> None:
    assert medium.error(command) == code
