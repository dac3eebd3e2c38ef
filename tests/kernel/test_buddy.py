"""The frame allocator's contract, asked through the monitor of a booted kernel."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest

from harness.image.kernel_image import KernelImage
from harness.machine.ending import EndingKind
from harness.machine.pool import Pool
from harness.maps.notation import parse_compact
from tests.kernel.session import MAX_ORDER, MIB, PAGE, Session, booted

DMA_END = 16 * MIB
DIRECT_MAP_END = 896 * MIB
SMALL, MEDIUM = 4 * MIB, 32 * MIB


@pytest.fixture
def medium(kernel: KernelImage, pool: Pool) -> Iterator[Session]:
    """A machine with two zones."""
    with booted(kernel, pool, MEDIUM) as session:
        yield session


@pytest.mark.parametrize("order", range(MAX_ORDER + 1))
def test_a_block_is_aligned_to_its_size_and_comes_back(medium: Session, order: int) -> None:
    before = medium.zone()
    block = medium.alloc(order)
    assert block % (PAGE << order) == 0
    assert block + (PAGE << order) <= MEDIUM
    assert medium.zone().free == before.free - (1 << order)
    medium.assert_sound()
    medium.free(block, order)
    assert medium.zone().blocks == before.blocks
    medium.assert_sound()


@pytest.mark.parametrize("order", [11, 12, 31, 32, 0xFFFFFFFF])
def test_an_order_beyond_the_largest_is_refused(medium: Session, order: int) -> None:
    before = medium.zone()
    assert medium.error(f"alloc {order}") == "memory"
    assert medium.zone() == before
    medium.assert_sound()


def test_the_largest_order_is_1024_frames(medium: Session) -> None:
    """Not half of it, which is what ``order >= MAX_ORDER`` makes of it."""
    block = medium.ok("pages 1024")
    assert block.number("count") == 1024
    assert medium.error("pages 1025") == "memory"


@pytest.mark.parametrize(("count", "order"), [(1, 0), (2, 1), (3, 2), (4, 2), (5, 3), (513, 10)])
def test_a_number_of_frames_is_rounded_up(medium: Session, count: int, order: int) -> None:
    before = medium.zone()
    block = medium.ok(f"pages {count}")
    assert block.number("count") == 1 << order
    assert medium.zone().free == before.free - (1 << order)
    medium.ok(f"freepages {block.values['physical']} {count}")
    assert medium.zone().blocks == before.blocks


@pytest.mark.parametrize("count", [0, 0xFFFFFFFF])
def test_a_senseless_number_of_frames_is_refused(medium: Session, count: int) -> None:
    assert medium.error(f"pages {count}") == "memory"


def test_live_blocks_never_overlap(medium: Session) -> None:
    answers = medium.answers(f"alloc {order}" for order in (3, 0, 5, 1, 0, 2, 7, 4, 0, 6) * 6)
    blocks = sorted((a.number("physical"), a.number("order")) for a in answers if a.ok)
    assert len(blocks) == len(answers)
    for (low, order), (high, _) in pairwise(blocks):
        assert low + (PAGE << order) <= high
    medium.assert_sound()


@pytest.mark.slow
def test_every_frame_can_be_had_alone_and_given_back(kernel: KernelImage, pool: Pool) -> None:
    """Freed in an order that is neither the lists' nor the addresses', all blocks merge again."""
    with booted(kernel, pool, SMALL) as session:
        before = session.zone()
        frames = session.drain(0)
        assert len(frames) == len(set(frames)) == before.free
        assert session.zone().free == 0
        assert session.zone().blocks == (0,) * (MAX_ORDER + 1)
        session.assert_sound()
        odd, even = frames[1::2], frames[::2]
        session.free_all((frame, 0) for frame in odd[::-1] + even)
        assert session.zone().blocks == before.blocks
        session.assert_sound()


@pytest.mark.parametrize("memory", [17 * MIB, MEDIUM, 1024 * MIB])
def test_all_memory_can_be_had_in_blocks_and_given_back(
    kernel: KernelImage, pool: Pool, memory: int
) -> None:
    with booted(kernel, pool, memory) as session:
        before = session.zone()
        blocks = session.exhaust("high")
        assert sum(1 << order for _, order in blocks) == before.free
        assert session.zone().free == 0
        session.assert_sound()
        session.free_all(sorted(blocks, key=lambda block: block[0] * 0x9E3779B1 % (1 << 32)))
        assert session.zone().blocks == before.blocks
        session.assert_sound()


@pytest.mark.parametrize("memory", [size * MIB for size in (8, 9, 12, 31, 100, 128, 192, 256)])
def test_ram_above_a_power_of_two_is_not_wasted(
    kernel: KernelImage, pool: Pool, memory: int
) -> None:
    """Each size ends its boot, and its last frame can be had."""
    with booted(kernel, pool, memory) as session:
        blocks = session.exhaust("high")
        assert max(block + (PAGE << order) for block, order in blocks) == memory
        session.assert_sound()


def test_an_unaligned_start_costs_no_block(kernel: KernelImage, pool: Pool) -> None:
    """A base rounded up to the largest block's size throws up to 4 MiB away."""
    memory_map = parse_compact("0-9f000 usable, 100000-400000 usable, 1003000-1fff000 usable", "-")[
        0
    ]
    with booted(kernel, pool, MEDIUM, map=memory_map) as session:
        session.assert_sound()
        frames = sum(1 << order for _, order in session.exhaust("high"))
        assert frames > sum(map(len, memory_map.usable_frames())) - MIB // PAGE


def test_merged_blocks_merge_again(medium: Session) -> None:
    """Also on the third round: no mark of an earlier life is left on a half."""
    before = medium.zone().blocks
    for _ in range(3):
        pieces = [(medium.alloc(order), order) for order in (0, 3, 0, 1, 9, 0)]
        medium.free_all(pieces[::-1])
        assert medium.zone().blocks == before
    medium.assert_sound()


def test_merging_stops_at_the_largest_order(medium: Session) -> None:
    """Two buddies of 4 MiB stay two."""
    blocks = medium.drain(MAX_ORDER)
    pairs = [block for block in blocks if block ^ (PAGE << MAX_ORDER) in blocks]
    assert pairs
    medium.free_all((block, MAX_ORDER) for block in pairs)
    assert medium.zone().blocks[MAX_ORDER] == len(pairs)
    medium.assert_sound()


def test_buddies_merge_where_a_hole_is_beside_them(kernel: KernelImage, pool: Pool) -> None:
    """A reserved frame in the middle stays alone; what surrounds it merges as far as it can."""
    memory_map = parse_compact("0-9f000 usable, 100000-2000000 usable, 1555000-1556000 bad", "-")[0]
    with booted(kernel, pool, MEDIUM, map=memory_map) as session:
        before = session.zone()
        session.free_all(reversed(session.exhaust()))
        assert session.zone().blocks == before.blocks
        session.assert_sound()
        ending = session.panic("free 0x1555000 0")
        assert ending.message == "buddy: frame 0x1555 freed, which is reserved"


def test_merging_stops_at_a_zones_border(kernel: KernelImage, pool: Pool) -> None:
    memory_map = parse_compact("0-9f000 usable, 100000-400000 usable, fe0000-1400000 usable", "-")[
        0
    ]
    with booted(kernel, pool, MEDIUM, map=memory_map) as session:
        below = session.ok("frame 0xfe0000")
        assert (below.values["order"], below.values["zone"]) == ("5", "dma")
        session.free_all(session.exhaust())
        assert session.ok("frame 0xfe0000").values == below.values
        session.assert_sound()


@pytest.mark.parametrize(
    ("flags", "low", "end"),
    [
        (("dma",), 0, DMA_END),
        (("normal",), DMA_END, DIRECT_MAP_END),
        ((), DMA_END, DIRECT_MAP_END),
        (("high",), DIRECT_MAP_END, 1024 * MIB),
        (("dma", "high"), 0, DMA_END),
        (("normal", "high"), DMA_END, DIRECT_MAP_END),
    ],
)
def test_a_zone_is_chosen_and_kept_to(
    kernel: KernelImage, pool: Pool, flags: tuple[str, ...], low: int, end: int
) -> None:
    with booted(kernel, pool, 1024 * MIB) as session:
        for order in (0, 5, MAX_ORDER):
            block = session.alloc(order, *flags)
            assert low <= block
            assert block + (PAGE << order) <= end
        session.assert_sound()


def test_an_empty_zone_falls_back_downward_and_never_upward(medium: Session) -> None:
    assert medium.zone("dma").free
    blocks = medium.exhaust("normal")
    assert {block < DMA_END for block, _ in blocks} == {True, False}
    assert medium.zone("normal").free == medium.zone("dma").free == 0
    medium.free_all(block for block in blocks if block[0] >= DMA_END)
    assert medium.error("alloc 0 dma") == "memory"
    medium.assert_sound()


def test_the_scarce_zone_is_taken_last(kernel: KernelImage, pool: Pool) -> None:
    with booted(kernel, pool, 1024 * MIB) as session:
        zones = [zone_of(block) for block in session.drain(MAX_ORDER, "high")]
        assert zones == sorted(zones, key=["high", "normal", "dma"].index)
        assert set(zones) == {"high", "normal", "dma"}


def zone_of(physical: int) -> str:
    return "dma" if physical < DMA_END else "normal" if physical < DIRECT_MAP_END else "high"


@pytest.mark.parametrize("zone", ["dma", "normal", "high"])
def test_zeroed_frames_are_zero(kernel: KernelImage, pool: Pool, zone: str) -> None:
    """Each frame of each block, after all of the zone was written to."""
    text = "100000-300000 usable, 1000000-1500000 usable, 38000000-38040000 usable"
    with booted(kernel, pool, 1024 * MIB, map=parse_compact(text, "here")[0]) as session:
        dirty = session.drain(3, zone)
        session.guest.pause()
        for block in dirty:
            session.guest.ram.write(block, b"\xa5" * 8 * PAGE)
        session.free_all((block, 3) for block in dirty)
        zeroed = session.drain(3, zone, "zero")
        assert sorted(zeroed) == sorted(dirty)
        session.guest.pause()
        for block in zeroed:
            assert session.guest.ram.read(block, 8 * PAGE) == bytes(8 * PAGE)


@pytest.mark.parametrize(
    ("then", "said"),
    [
        ("free {block} 3", "frame {frame} freed twice"),
        ("free {inside} 0", "frame {inside_frame} freed twice"),
    ],
)
def test_a_second_free_panics(medium: Session, then: str, said: str) -> None:
    block = medium.alloc(3)
    medium.free(block, 3)
    _assert_panic(medium, then, said, block)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("free {block} 2", "frame {frame} freed with order 2, allocated with 3"),
        ("free {block} 4", "frame {frame} freed with order 4, allocated with 3"),
        ("free {block} 11", "frame {frame} freed with order 11, allocated with 3"),
        ("free {block} 4294967295", "frame {frame} freed with order 11, allocated with 3"),
        ("free {inside} 0", "frame {inside_frame} freed, which is inside a block"),
        ("freepages {block} 0", "frame {frame} freed as a block of no frames"),
        ("freepages {block} 9", "frame {frame} freed with order 4, allocated with 3"),
        ("free 0 0", "frame 0x0 freed, which is reserved"),
        ("free 0x100000 0", "frame 0x100 freed, which is reserved"),
        ("free 0xa0000 0", "frame 0xa0 freed, which is reserved"),
        ("free 0x2000000 0", "frame 0x2000 freed, which is beyond the frame table"),
        ("free 0xfffff000 0", "frame 0xfffff freed, which is beyond the frame table"),
    ],
)
def test_a_wrong_free_panics_with_the_frame(medium: Session, wrong: str, said: str) -> None:
    _assert_panic(medium, wrong, said, medium.alloc(3))


def test_an_address_within_a_frame_is_no_frame(medium: Session) -> None:
    block = medium.alloc(0)
    ending = medium.panic(f"free {block + 1:#x} 0")
    assert f"{block + 1:#010x} freed, which is no frame's address" in ending.message


def test_a_never_allocated_frame_is_not_freed(medium: Session) -> None:
    last = MEDIUM - PAGE
    ending = medium.panic(f"free {last:#x} 0")
    assert ending.kind is EndingKind.PANIC
    assert f"frame {last // PAGE:#x} freed twice" in ending.message


def _assert_panic(session: Session, command: str, said: str, block: int) -> None:
    words = {
        "block": hex(block),
        "inside": hex(block + PAGE),
        "frame": hex(block // PAGE),
        "inside_frame": hex(block // PAGE + 1),
    }
    ending = session.panic(command.format(**words))
    assert ending.kind is EndingKind.PANIC
    assert ending.message == "buddy: " + said.format(**words)
    assert "free_pages" in [frame.function for frame in ending.backtrace]
