"""The old heap of sub-blocks: blocks of one chunk, and no allocation larger than what fits."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.image.kernel_image import KernelImage
from harness.machine.ending import EndingKind
from harness.machine.pool import Pool
from tests.kernel.session import MIB, PAGE, Session, booted
from tests.kernel.subblocks import OLD, SUBBLOCK, Heap

METADATA = 5 * SUBBLOCK
"""The next pointer, two counts and 128 bytes of map are 140 bytes."""
MOST = PAGE - METADATA


@pytest.fixture
def session(kernel: KernelImage, pool: Pool) -> Iterator[Session]:
    with booted(kernel, pool, 16 * MIB, append=f"heap={OLD}") as session:
        yield session


@pytest.fixture
def heap(session: Session) -> Heap:
    return Heap(session)


def test_the_first_allocation_lies_right_behind_the_metadata(heap: Heap) -> None:
    first = heap.alloc(1)
    assert first % PAGE == METADATA
    assert heap.alloc(1) == first + SUBBLOCK
    assert heap.blocks() == [(first - METADATA, 1, MOST // SUBBLOCK - 2)]
    heap.session.assert_sound()


@pytest.mark.parametrize("size", [1, 31, 32, 33, 64, 96, 3904, MOST])
def test_no_sub_block_is_wasted_on_a_multiple_of_32(heap: Heap, size: int) -> None:
    heap.alloc(size)
    assert heap.counts()["used"] == -(-size // SUBBLOCK)


def test_the_largest_size_succeeds_and_fills_a_block(heap: Heap) -> None:
    assert heap.alloc(MOST) % PAGE == METADATA
    assert [free for _, _, free in heap.blocks()] == [0]
    heap.session.assert_sound()


@pytest.mark.parametrize("size", [MOST + 1, PAGE, 1 << 20, 0xFFFFFFE1, 0xFFFFFFF0, 0xFFFFFFFF])
def test_a_size_that_cannot_succeed_adds_no_block(heap: Heap, size: int) -> None:
    heap.full(size)
    counts = heap.counts()
    assert (counts["chunks"], counts["failures"]) == (0, 1)
    heap.session.assert_sound()


def test_nothing_comes_of_nothing(heap: Heap) -> None:
    heap.full(0)
    heap.free(0)
    assert heap.counts()["failures"] == 0


def test_the_next_pointer_of_the_first_block_is_written(heap: Heap) -> None:
    """RAM is poisoned before a boot: what nobody wrote is not 0."""
    heap.alloc(1)
    assert len(heap.blocks()) == 1
    heap.session.assert_sound()


def test_an_allocation_between_two_of_different_colours_has_a_third(heap: Heap) -> None:
    """Behind the first colour and in front of the second one; one free would free both else."""
    blocks = [heap.alloc(32) for _ in range(4)]
    heap.free(blocks[1], blocks[2])
    middle = heap.alloc(64)
    assert middle == blocks[1]
    heap.session.assert_sound()
    heap.free(middle)
    assert heap.counts()["live"] == 2
    heap.session.assert_sound()


def test_the_free_count_falls_and_rises(heap: Heap) -> None:
    room = MOST // SUBBLOCK
    first, second = heap.alloc(100), heap.alloc(200)
    assert heap.blocks()[0][2] == room - 4 - 7
    heap.free(first)
    assert heap.blocks()[0][2] == room - 7
    heap.free(second)
    assert heap.blocks()[0][2] == room


def test_one_free_frees_one_of_two_neighbours(heap: Heap) -> None:
    """A colour chosen by the left neighbour alone may be the right one's too."""
    blocks = [heap.alloc(32) for _ in range(5)]
    heap.free(blocks[1], blocks[3])
    again = [heap.alloc(32), heap.alloc(32)]
    assert again == [blocks[1], blocks[3]]
    for gone, block in enumerate(blocks, 1):
        heap.free(block)
        assert heap.counts()["live"] == 5 - gone
        heap.session.assert_sound()


def test_a_new_block_comes_first_on_the_list(heap: Heap) -> None:
    old = heap.alloc(MOST - SUBBLOCK)
    new = heap.alloc(2 * SUBBLOCK)
    assert [start for start, _, _ in heap.blocks()] == [new - METADATA, old - METADATA]
    assert heap.alloc(SUBBLOCK) == new + 2 * SUBBLOCK


def test_first_fit_within_a_block(heap: Heap) -> None:
    blocks = [heap.alloc(size) for size in (64, 32, 32, 32, 96)]
    heap.free(blocks[0], blocks[3])
    heap.free(blocks[2])
    assert heap.alloc(65) == blocks[4] + 96
    assert heap.alloc(32) == blocks[0]
    assert heap.alloc(64) == blocks[2]


@pytest.mark.parametrize(
    ("offset", "words"),
    [
        (0, "it lies in a block's metadata"),
        (METADATA - SUBBLOCK, "it lies in a block's metadata"),
        (METADATA + 1, "it is not the start of a sub-block"),
        (METADATA + SUBBLOCK, "it lies inside an allocation"),
        (METADATA + 3 * SUBBLOCK, "it is free already"),
        (PAGE, "it lies in no block of the heap"),
        (-1, "it lies in no block of the heap"),
    ],
)
def test_an_address_that_is_no_allocation_panics(heap: Heap, offset: int, words: str) -> None:
    """Interior, freed and foreign ones."""
    start = heap.alloc(96) - METADATA
    assert heap.wrong(start + offset) == words
    ending = heap.session.panic(f"heap free {start + offset:#x}")
    assert ending.kind is EndingKind.PANIC
    assert ending.message == f"subblock-old: {start + offset:#010x} freed: {words}"


def test_a_free_ends_with_its_block(heap: Heap) -> None:
    """What follows the map may look like more of the same run."""
    first, last = heap.alloc(SUBBLOCK), heap.alloc(MOST - SUBBLOCK)
    behind = first - METADATA + 12 + 128
    heap.session.ok(f"write {behind:#x} 0x03030303")
    heap.free(last)
    assert heap.session.ok(f"read {behind:#x}").number("value") == 0x03030303
    assert heap.counts()["used"] == 1
    heap.session.assert_sound()


def test_an_allocation_whose_map_is_overwritten_panics(heap: Heap) -> None:
    """Marked as metadata, which is never allocated."""
    block = heap.alloc(32)
    heap.session.ok(f"fill {block - METADATA + 12 + METADATA // SUBBLOCK:#x} 1 1")
    assert heap.wrong(block) == "its map is overwritten"
    ending = heap.session.panic(f"heap free {block:#x}")
    assert ending.message == f"subblock-old: {block:#010x} freed: its map is overwritten"


def test_a_double_free_panics(heap: Heap) -> None:
    kept, gone = heap.alloc(32), heap.alloc(32)
    heap.free(gone)
    ending = heap.session.panic(f"heap free {gone:#x}")
    assert ending.message == f"subblock-old: {gone:#010x} freed: it is free already"
    assert kept != gone


def test_one_empty_block_is_kept_and_no_more(heap: Heap) -> None:
    before = heap.session.zone().free
    blocks = [heap.alloc(MOST) for _ in range(3)]
    assert heap.session.zone().free == before - 3
    heap.free(blocks[1])
    assert heap.counts()["spare"] == blocks[1] - METADATA
    heap.free(blocks[0], blocks[2])
    assert heap.blocks() == [(blocks[1] - METADATA, 1, MOST // SUBBLOCK)]
    assert heap.session.zone().free == before - 1
    heap.session.assert_sound()
    assert heap.alloc(1) == blocks[1]
    assert heap.counts()["spare"] == 0


def test_other_heaps_say_that_they_are_not_in_charge(session: Session) -> None:
    assert session.error("kmalloc 1") == "state"


def test_without_it_in_charge_its_command_says_so(kernel: KernelImage, pool: Pool) -> None:
    with booted(kernel, pool) as session:
        assert session.error("subblock") == "state"
