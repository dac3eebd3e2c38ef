"""The heap of sub-blocks over blocks of any number of chunks, in the kernel and in user space."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.image.kernel_image import KernelImage
from harness.machine.pool import Pool
from tests.kernel.layouts import both_layouts, layout_of
from tests.kernel.session import MIB, PAGE, Session, booted
from tests.kernel.subblocks import NEW, SUBBLOCK, Heap

pytestmark = both_layouts

METADATA = 5 * SUBBLOCK
"""Of one chunk: the header is 16 bytes, the map 128."""
MAP_END = 16 + 128
ROOM = 123
"""Sub-blocks of a block of one chunk."""


@pytest.fixture
def session(kernel: KernelImage, pool: Pool) -> Iterator[Session]:
    with booted(kernel, pool, 16 * MIB, append=f"heap={NEW} frames=bitmap") as session:
        yield session


@pytest.fixture(params=["heap", "subblock user"])
def heap(session: Session, request: pytest.FixtureRequest) -> Heap:
    return Heap(session, request.param)


def place(heap: Heap) -> str:
    """Return the command that tells of a heap's blocks."""
    return "subblock" if heap.command == "heap" else heap.command


def metadata(chunks: int) -> int:
    """Return the bytes in front of the first allocation of a block."""
    return -(-(16 + 128 * chunks) // SUBBLOCK) * SUBBLOCK


def test_memory_comes_from_where_it_should(heap: Heap, kernel: KernelImage) -> None:
    layout, first = layout_of(kernel), heap.alloc(1)
    assert first in (layout.direct_map if heap.command == "heap" else layout.user)
    assert first % PAGE == METADATA
    heap.session.assert_sound()


@pytest.mark.parametrize("size", [1, 31, 32, 33, 64, 3936, 3937, 4096, 3968 * 3 - 32, 1 << 20])
def test_no_sub_block_is_wasted_on_a_multiple_of_32(heap: Heap, size: int) -> None:
    assert heap.alloc(size) % SUBBLOCK == 0
    assert heap.counts(place(heap))["used"] == -(-size // SUBBLOCK)


@pytest.mark.parametrize(
    ("size", "chunks"),
    [(3935, 1), (3936, 1), (3937, 2), (4096, 2), (7904, 2), (7905, 3), (1 << 20, 265)],
)
def test_sizes_around_a_chunk_succeed(heap: Heap, size: int, chunks: int) -> None:
    """3,936 to 4,096 among them."""
    address = heap.alloc(size)
    [(start, found, free)] = heap.blocks(place(heap))
    assert (found, address - start) == (chunks, metadata(chunks))
    assert free == chunks * 128 - metadata(chunks) // SUBBLOCK - -(-size // SUBBLOCK)
    heap.session.assert_sound()
    heap.free(address)
    heap.session.assert_sound()


@pytest.mark.parametrize("size", [0xFFFFFFE0, 0xFFFFFFE1, 0xFFFFFFF0, 0xFFFFFFFF, 0xF8000000])
def test_a_size_whose_rounding_would_wrap_fails(heap: Heap, size: int) -> None:
    heap.full(size)
    counts = heap.counts(place(heap))
    assert (counts["chunks"], counts["live"], counts["failures"]) == (0, 0, 1)
    heap.session.assert_sound()


def test_a_failure_adds_nothing(heap: Heap) -> None:
    heap.alloc(32)
    before = heap.blocks(place(heap))
    if heap.command == "heap":
        heap.full(16 * MIB)
    heap.full(0xE0000000)
    assert heap.blocks(place(heap)) == before
    heap.session.assert_sound()


def test_one_free_frees_one_of_two_neighbours(heap: Heap) -> None:
    """A colour chosen by the left neighbour alone may be the right one's too."""
    blocks = [heap.alloc(64) for _ in range(5)]
    heap.free(blocks[1], blocks[3])
    assert [heap.alloc(33), heap.alloc(64)] == [blocks[1], blocks[3]]
    for gone, block in enumerate(blocks, 1):
        heap.free(block)
        assert heap.counts(place(heap))["live"] == 5 - gone
        heap.session.assert_sound()


def test_an_allocation_between_two_of_different_colours_has_a_third(heap: Heap) -> None:
    """Behind the first colour and in front of the second one; one free would free both else."""
    blocks = [heap.alloc(32) for _ in range(4)]
    heap.free(blocks[1], blocks[2])
    middle = heap.alloc(64)
    assert middle == blocks[1]
    heap.session.assert_sound()
    heap.free(middle)
    assert heap.counts(place(heap))["live"] == 2
    heap.session.assert_sound()


def test_the_free_count_falls_and_rises(heap: Heap) -> None:
    first, second = heap.alloc(100), heap.alloc(200)
    assert heap.blocks(place(heap))[0][2] == ROOM - 4 - 7
    heap.free(first)
    assert heap.blocks(place(heap))[0][2] == ROOM - 7
    heap.free(second)
    assert heap.blocks(place(heap))[0][2] == ROOM


def test_a_free_ends_with_its_block(heap: Heap) -> None:
    """What follows the map may look like more of the same run."""
    first, last = heap.alloc(SUBBLOCK), heap.alloc((ROOM - 1) * SUBBLOCK)
    behind = first - METADATA + MAP_END
    heap.session.ok(f"write {behind:#x} 0x03030303")
    heap.free(last)
    assert heap.session.ok(f"read {behind:#x}").number("value") == 0x03030303
    assert heap.counts(place(heap))["used"] == 1
    heap.session.assert_sound()


def test_a_search_ends_with_its_block(heap: Heap) -> None:
    """What follows the map may look free; a hole in front makes the search go to the end."""
    first, second = heap.alloc(SUBBLOCK), heap.alloc(10 * SUBBLOCK)
    heap.session.ok(f"write {first - METADATA + MAP_END:#x} 0")
    heap.free(first)
    assert heap.alloc((ROOM - 10) * SUBBLOCK) // PAGE != second // PAGE
    heap.session.assert_sound()


@pytest.mark.parametrize(
    ("offset", "words"),
    [
        (0, "it lies in a block's metadata"),
        (metadata(2) - SUBBLOCK, "it lies in a block's metadata"),
        (metadata(2) + 16, "it is not the start of a sub-block"),
        (metadata(2) + SUBBLOCK, "it lies inside an allocation"),
        (PAGE, "it lies inside an allocation"),
        (2 * PAGE - SUBBLOCK, "it is free already"),
        (2 * PAGE, "it lies in no block of the heap"),
        (-SUBBLOCK, "it lies in no block of the heap"),
    ],
)
def test_an_address_that_is_no_allocation_panics(heap: Heap, offset: int, words: str) -> None:
    """Interior, freed and foreign ones."""
    address = heap.alloc(5000) - metadata(2) + offset
    assert heap.wrong(address) == words
    ending = heap.session.panic(f"{heap.command} free {address:#x}")
    assert ending.message == f"subblock: {address:#010x} freed: {words}"


def test_a_block_of_many_chunks_goes_back_at_once(heap: Heap) -> None:
    small, large = heap.alloc(1), heap.alloc(3 * PAGE)
    assert [chunks for _, chunks, _ in heap.blocks(place(heap))] == [4, 1]
    heap.free(large)
    assert [chunks for _, chunks, _ in heap.blocks(place(heap))] == [1]
    heap.free(small)
    assert heap.counts(place(heap))["spare"] == small - METADATA
    heap.session.assert_sound()


def test_the_kept_block_goes_where_there_is_nothing_else(session: Session) -> None:
    """The free frames lie behind it: only together are they what is asked for."""
    heap = Heap(session)
    small, large = heap.alloc(1), heap.alloc(40 * PAGE)
    frames = session.exhaust()
    heap.full(PAGE)
    heap.free(large, small)
    kept, behind = small - METADATA, large - metadata(42)
    assert (heap.counts()["spare"], behind) == (kept, kept + PAGE)
    assert heap.alloc(41 * PAGE) == kept + metadata(43)
    assert heap.blocks() == [(kept, 43, 43 * 128 - metadata(43) // SUBBLOCK - 41 * 128)]
    session.free_all(frames)
    session.assert_sound()


def test_the_kept_block_goes_back_even_if_that_does_not_help(session: Session) -> None:
    heap, before = Heap(session), session.assert_sound().summary.free_bytes
    heap.free(heap.alloc(1))
    heap.full(17 * MIB)
    assert (heap.counts()["spare"], heap.blocks()) == (0, [])
    assert session.assert_sound().summary.free_bytes == before


def test_the_user_heap_stays_in_its_address_space(session: Session) -> None:
    heap = Heap(session, "subblock user")
    block = heap.alloc(100)
    session.ok(f"fill {block:#x} 100 0x5a")
    other = session.ok("space create").number("space")
    session.ok(f"space switch {other}")
    for command in ("subblock user", "subblock user alloc 1", f"subblock user free {block:#x}"):
        assert session.error(command) == "state"
    session.assert_sound()
    session.ok("space switch 0")
    heap.free(block)
    session.ok(f"space destroy {other}")
    session.assert_sound()


def test_a_large_user_block_takes_frames_where_it_is_touched(session: Session) -> None:
    """Its map is touched by the heap: a byte for each of its sub-blocks."""
    heap = Heap(session, "subblock user")
    block = heap.alloc(64 * MIB)
    records = -(-metadata(heap.blocks("subblock user")[0][1]) // PAGE)
    assert session.ok("user list").number("frames") == records
    session.touch(block + 63 * MIB, "write", 1)
    assert session.ok("user list").number("frames") == records + 1
    session.assert_sound()
    heap.free(block)
    assert session.ok("user list").number("regions") == 0
    session.assert_sound()


def test_the_user_heap_fails_without_frames_for_its_records(session: Session) -> None:
    """There is room for the record of a region, since another one exists."""
    heap = Heap(session, "subblock user")
    session.ok("user alloc 1")
    frames = session.exhaust("high")
    heap.full(1)
    heap.full(1 << 20)
    assert session.ok("user list").number("regions") == 1
    session.free_all(frames)
    session.assert_sound()
    heap.alloc(1)


@pytest.mark.slow
def test_exhaustion_by_the_user_heap_and_full_recovery(session: Session) -> None:
    """A block of 64 MiB takes 2 MiB of records; whatever else it has is never touched."""
    heap = Heap(session, "subblock user")
    heap.free(heap.alloc(1))
    before = session.assert_sound().summary.free_bytes
    blocks = []
    while (answer := session.guest.monitor.command(f"subblock user alloc {64 * MIB}")).ok:
        blocks.append(answer.number("virtual"))
    assert 4 <= len(blocks) <= 8
    session.assert_sound()
    heap.free(*blocks[::-1])
    assert session.assert_sound().summary.free_bytes >= before
    assert heap.counts("subblock user")["live"] == 0


@pytest.mark.parametrize(
    "command", ["subblock x", "subblock block", "subblock user alloc", "subblock user eat 1"]
)
def test_a_command_that_is_none(session: Session, command: str) -> None:
    assert session.error(command) == "usage"


def test_a_block_number_beyond_the_list(session: Session) -> None:
    assert session.error("subblock block 0") == "range"
    assert session.error("subblock user block 0") == "range"


def test_the_kept_block_is_kept_no_longer_once_it_is_used(heap: Heap) -> None:
    """Else it would be given back under whoever uses it."""
    first = heap.alloc(100)
    heap.free(first)
    assert heap.alloc(100) == first
    heap.session.assert_sound()
