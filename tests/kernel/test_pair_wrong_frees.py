"""What must not be freed to the pair-bitmap buddy, and free blocks that somebody writes to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.image.kernel_image import KernelImage
from harness.machine.ending import EndingKind
from harness.machine.pool import Pool
from harness.maps.notation import parse_compact
from tests.kernel.pairs import CHOSEN, MEDIUM, NODE
from tests.kernel.session import MAX_ORDER, MIB, PAGE, Session, booted


@pytest.fixture
def medium(kernel: KernelImage, pool: Pool) -> Iterator[Session]:
    """A machine with two zones."""
    with booted(kernel, pool, MEDIUM, append=CHOSEN) as session:
        yield session


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("free {block} 4", "frame {frame} freed with order 4, but no such block begins there"),
        ("free {block} 11", "frame {frame} freed as a block of 2048 frames, which is larger than"),
        ("free {block} 4294967295", "frame {frame} freed as a block of 4294967295 frames"),
        ("freepages {block} 0", "frame {frame} freed as a block of no frames"),
        ("free 0 0", "frame 0x0 freed, which was never managed"),
        ("free 0x100000 0", "frame 0x100 freed, which was never managed"),
        ("free 0xa0000 0", "frame 0xa0 freed, which was never managed"),
        ("free 0x2000000 0", "frame 0x2000 freed, which was never managed"),
        ("free 0xfffff000 0", "frame 0xfffff freed, which was never managed"),
    ],
)
def test_a_wrong_free_panics_with_the_frame(medium: Session, wrong: str, said: str) -> None:
    medium.alloc(3)
    block = next(block for block in iter(lambda: medium.alloc(3), 0) if block % (PAGE << 4))
    assert_panic(medium, wrong, said, block)


@pytest.mark.parametrize("zone", ["normal", "high"])
@pytest.mark.parametrize("order", [0, 3, MAX_ORDER])
def test_a_second_free_panics(kernel: KernelImage, pool: Pool, order: int, zone: str) -> None:
    """Also when the block has merged, and is the first part of a larger one or inside one."""
    with booted(kernel, pool, 1200 * MIB, append=CHOSEN) as session:
        block = session.alloc(order, zone)
        session.free(block, order)
        ending = session.panic(f"free {block:#x} {order}")
        assert ending.kind is EndingKind.PANIC
        frame = block // PAGE
        assert ending.message in (
            f"pair: frame {frame:#x} freed twice",
            *inside_of_some_block(frame),
        )


@pytest.mark.parametrize("zone", ["dma", "normal", "high"])
@pytest.mark.parametrize("order", [0, 1, MAX_ORDER])
def test_a_second_free_of_what_could_not_merge_panics(
    kernel: KernelImage, pool: Pool, order: int, zone: str
) -> None:
    """Its buddy is held, or it is one of the largest: it is on the list as it was freed."""
    with booted(kernel, pool, 1000 * MIB, append=CHOSEN) as session:
        block, _ = sorted(pair_of_buddies(session, order, zone))
        session.free(block, order)
        ending = session.panic(f"free {block:#x} {order}")
        assert ending.message == f"pair: frame {block // PAGE:#x} freed twice"


def pair_of_buddies(session: Session, order: int, zone: str) -> tuple[int, int]:
    """Allocate blocks until two of them are buddies."""
    blocks: set[int] = set()
    while True:
        block = session.alloc(order, zone)
        buddy = block ^ (PAGE << order)
        if buddy in blocks:
            return block, buddy
        blocks.add(block)


def inside_of_some_block(frame: int) -> Iterator[str]:
    for order in range(1, MAX_ORDER + 1):
        first = frame >> order << order
        if first != frame:
            yield (
                f"pair: frame {frame:#x} freed, which is inside the free block of order {order} "
                f"at frame {first:#x}"
            )


def test_a_frame_inside_a_free_block_panics(medium: Session) -> None:
    block = medium.alloc(3)
    neighbour = medium.alloc(3)
    medium.free(block, 3)
    order = medium.ok(f"pair node {block:#x}").number("order")
    said = f"inside the free block of order {order} at frame {block // PAGE:#x}"
    assert_panic(medium, "free {inside} 0", f"frame {{inside_frame}} freed, which is {said}", block)
    assert neighbour != block


def test_a_never_allocated_frame_is_not_freed(medium: Session) -> None:
    last = MEDIUM - PAGE
    ending = medium.panic(f"free {last:#x} 0")
    assert f"frame {last // PAGE:#x} freed, which is inside the free block" in ending.message


def test_a_block_of_which_a_part_is_free_panics(medium: Session) -> None:
    block = medium.alloc(3)
    medium.free(block + 2 * PAGE, 1)
    said = "frame {frame} freed with order 3, but a part of that is free"
    assert_panic(medium, "free {block} 3", said, block)


def test_a_block_that_reaches_into_a_hole_panics(kernel: KernelImage, pool: Pool) -> None:
    text = "0-9f000 usable, 100000-2000000 usable, 1406000-1407000 bad"
    with booted(kernel, pool, MEDIUM, map=parse_compact(text, "here")[0], append=CHOSEN) as session:
        session.exhaust()
        ending = session.panic("free 0x1400000 3")
        assert ending.message == (
            "pair: frame 0x1400 freed with order 3, but frame 0x1406 was never managed"
        )


def test_an_address_within_a_frame_is_no_frame(medium: Session) -> None:
    block = medium.alloc(0)
    ending = medium.panic(f"free {block + 1:#x} 0")
    assert f"pair: {block + 1:#010x} freed, which is no frame's address" in ending.message


@pytest.mark.parametrize("zone", ["normal", "high"])
@pytest.mark.parametrize(
    ("member", "value", "said"),
    [
        (2, 0, "its magic number"),
        (3, 1, "its order"),
        (1, 0x1000, "its link to the previous one"),
        (0, 0x1000, "its link to the next one"),
        (0, 0xFEE00000, "its link to the next one"),
        (0, 0x1234567, "its link to the next one"),
    ],
)
def test_a_use_after_free_panics_when_the_block_is_given_again(
    kernel: KernelImage, pool: Pool, zone: str, member: int, value: int, said: str
) -> None:
    with booted(kernel, pool, 1000 * MIB, append=CHOSEN) as session:
        block = session.alloc(0, zone)
        session.alloc(0, zone)
        session.free(block, 0)
        order = session.ok(f"pair node {block:#x}").number("order")
        session.guest.pause()
        session.guest.ram.write(block + 4 * member, value.to_bytes(4, "little"))
        ending = session.panic(f"alloc {order} {zone}")
        assert ending.message == (
            f"pair: the free block of order {order} at frame {block // PAGE:#x} was written to: "
            f"{said} is wrong"
        )


def test_a_use_after_free_panics_when_its_buddy_is_freed(medium: Session) -> None:
    block = medium.alloc(1)
    medium.free(block, 0)
    medium.guest.pause()
    medium.guest.ram.write(block, bytes(NODE.size))
    ending = medium.panic(f"free {block + PAGE:#x} 0")
    assert f"at frame {block // PAGE:#x} was written to: its magic number" in ending.message


def assert_panic(session: Session, command: str, said: str, block: int) -> None:
    words = {
        "block": hex(block),
        "inside": hex(block + PAGE),
        "frame": hex(block // PAGE),
        "inside_frame": hex(block // PAGE + 1),
    }
    ending = session.panic(command.format(**words))
    assert ending.kind is EndingKind.PANIC
    assert ending.message.startswith("pair: " + said.format(**words))
    assert "free_pages" in [frame.function for frame in ending.backtrace]
