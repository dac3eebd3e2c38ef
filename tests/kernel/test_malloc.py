"""malloc's contract, asked through the console; bugs that others have had, by name."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import pytest

from harness.image.kernel_image import KernelImage
from harness.machine.ending import EndingKind
from harness.machine.pool import Pool
from tests.kernel.layouts import both_layouts, layout_of
from tests.kernel.session import MIB, PAGE, Session, booted

CHOSEN = "heap=malloc"
HEADER = 32
"""Bytes in front of a large block."""
CLASSES = (16, 32, 64, 128, 256, 512)
DIRECT_MAP = 0xC0000000


@pytest.fixture
def small(kernel: KernelImage, pool: Pool) -> Iterator[Session]:
    with booted(kernel, pool, 16 * MIB, append=CHOSEN) as session:
        yield session


def alloc(session: Session, size: int) -> int:
    return session.ok(f"heap alloc {size}").number("virtual")


def release(session: Session, block: int) -> None:
    session.ok(f"heap free {block:#x}")


def realloc(session: Session, block: int, size: int) -> int:
    return session.ok(f"malloc realloc {block:#x} {size}").number("virtual")


def fill(session: Session, block: int, size: int, byte: int) -> None:
    session.ok(f"fill {block:#x} {size} {byte}")


def holds(session: Session, block: int, data: bytes) -> bool:
    return session.ok(f"sum {block:#x} {len(data)}").number("crc32") == zlib.crc32(data)


def slab_size(session: Session, block: int) -> int:
    """Return the size of the objects of the cache that a block is from."""
    return int(session.ok(f"slab owner {block:#x}").values["cache"].removeprefix("malloc-"))


@pytest.mark.parametrize("size", [1, 15, 16, 17, 32, 33, 64, 100, 128, 129, 256, 257, 511, 512])
def test_a_small_block_comes_from_the_smallest_cache_that_holds_it(
    small: Session, size: int
) -> None:
    block = alloc(small, size)
    assert slab_size(small, block) == min(one for one in CLASSES if one >= size)
    assert small.ok("malloc").number("large_blocks") == 0
    small.assert_sound()


@pytest.mark.parametrize("size", [513, 4064, 4065, 8160, 8161, 3 * PAGE, MIB])
def test_a_large_block_has_contiguous_frames_of_its_own(small: Session, size: int) -> None:
    block = alloc(small, size)
    assert block % PAGE == HEADER
    assert small.error(f"slab owner {block:#x}") == "state"
    [one] = small.assert_sound().state.large_blocks[0].blocks
    assert (one.header, one.size) == (block - HEADER, size)
    assert one.frames[0] == (block - DIRECT_MAP) // PAGE
    assert len(one.frames) == one.pages >= -(-(size + HEADER) // PAGE)


@pytest.mark.parametrize("size", [1, 2, 3, 15, 16, 24, 100, 500, 512, 513, 1000, 4096, 10000])
def test_every_pointer_is_aligned(small: Session, size: int) -> None:
    """apoptOS: two bytes in front of the pointer say where it is from: it is 2 modulo 16."""
    assert [alloc(small, size) % 16 for _ in range(5)] == [0] * 5


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0xFFFFFFE0, 0xFFFFFFDF, 0xFFFFF000, 0x80000000])
def test_nothing_and_what_wraps_are_refused(small: Session, size: int) -> None:
    before = small.zone()
    assert small.error(f"heap alloc {size}") == "memory"
    assert small.zone() == before
    small.assert_sound()


def test_freeing_null_does_nothing(small: Session) -> None:
    before = small.ok("heap").text
    small.ok("heap free 0")
    small.ok("heap check 0")
    assert small.ok("heap").text == before


@pytest.mark.parametrize(("size", "count"), [(16, 251), (512, 8)])
def test_a_full_cache_grows(small: Session, size: int, count: int) -> None:
    """apoptOS: malloc panics when a cache is full."""
    blocks = [alloc(small, size) for _ in range(count)]
    assert len(set(blocks)) == count
    small.assert_sound()


@pytest.mark.parametrize("size", [16, 512, 513])
def test_without_memory_it_gives_nothing(small: Session, size: int) -> None:
    blocks = small.exhaust()
    assert small.error(f"heap alloc {size}") == "memory"
    assert small.ok("heap").number("failures") == 1
    small.assert_sound()
    small.free_all(blocks)
    alloc(small, size)
    small.assert_sound()


def test_contents_survive_their_neighbours(small: Session) -> None:
    sizes = [1, 16, 100, 512, 513, 4064, 10000]
    blocks = [(alloc(small, size), size, 0x30 + index) for index, size in enumerate(sizes)]
    for block, size, byte in blocks:
        fill(small, block, size, byte)
    for block, *_ in blocks[1::2]:
        release(small, block)
    for size in (2, 64, 20000):
        fill(small, alloc(small, size), size, 0xFF)
    for block, size, byte in blocks[::2]:
        assert holds(small, block, bytes([byte]) * size)
    small.assert_sound()


class TestRealloc:
    """Another size, the same contents."""

    @pytest.mark.parametrize(
        ("old", "new"), [(10, 16), (100, 128), (600, 4000), (5000, 5001), (9000, 16000)]
    )
    def test_a_size_that_fits_moves_nothing(self, small: Session, old: int, new: int) -> None:
        block = alloc(small, old)
        fill(small, block, old, 0x5A)
        assert realloc(small, block, new) == block
        assert holds(small, block, b"\x5a" * old)
        small.assert_sound()

    @pytest.mark.parametrize(
        ("old", "new"),
        [(10, 17), (500, 513), (512, 100000), (1000, 5000), (100000, 300000)],
    )
    def test_growing_keeps_all_bytes(self, small: Session, old: int, new: int) -> None:
        """apoptOS: realloc of a large block copies nothing."""
        block = alloc(small, old)
        fill(small, block, old, 0x5A)
        moved = realloc(small, block, new)
        assert moved != block
        assert holds(small, moved, b"\x5a" * old)
        assert small.error(f"heap check {block:#x}") == "state"
        fill(small, moved, new, 0x33)
        small.assert_sound()

    def test_growing_in_place_and_then_away_keeps_all_bytes(self, small: Session) -> None:
        """The size that counts is that which the block was given last."""
        block = alloc(small, 5000)
        assert realloc(small, block, 8000) == block
        fill(small, block, 8000, 0x5A)
        assert holds(small, realloc(small, block, 100000), b"\x5a" * 8000)
        assert small.ok("malloc").number("large_bytes") == 100000
        small.assert_sound()

    @pytest.mark.parametrize(("old", "new"), [(512, 10), (600, 16), (100000, 512), (100000, 5000)])
    def test_shrinking_keeps_what_fits_and_writes_no_further(
        self, small: Session, old: int, new: int
    ) -> None:
        """Copying too much would write over the neighbour."""
        block = alloc(small, old)
        fill(small, block, old, 0x5A)
        neighbours = [alloc(small, new) for _ in range(3)]
        release(small, neighbours.pop(1))
        for neighbour in neighbours:
            fill(small, neighbour, new, 0x77)
        moved = realloc(small, block, new)
        assert holds(small, moved, b"\x5a" * new)
        for neighbour in neighbours:
            assert holds(small, neighbour, b"\x77" * new)
        small.assert_sound()

    def test_nothing_becomes_a_block_and_a_block_nothing(self, small: Session) -> None:
        block = realloc(small, 0, 100)
        assert slab_size(small, block) == 128
        assert realloc(small, block, 0) == 0
        assert small.ok("heap").number("blocks") == 0

    @pytest.mark.parametrize("new", [0xFFFFFFFF, 64 * MIB])
    @pytest.mark.parametrize("old", [100, 5000])
    def test_without_room_the_old_block_stays(self, small: Session, old: int, new: int) -> None:
        block = alloc(small, old)
        fill(small, block, old, 0x5A)
        assert small.error(f"malloc realloc {block:#x} {new}") == "memory"
        assert holds(small, block, b"\x5a" * old)
        small.assert_sound()

    def test_a_pointer_that_is_no_block_panics(self, small: Session) -> None:
        block = alloc(small, 100)
        ending = small.panic(f"malloc realloc {block + 16:#x} 200")
        assert ending.message == f"malloc: {block + 16:#010x} resized: not the start of an object"


class TestCalloc:
    """Zeroed, and no product that wraps."""

    @pytest.mark.parametrize(("count", "size"), [(1, 16), (10, 50), (100, 100), (3, 4096)])
    def test_the_block_is_zero_though_memory_was_not(
        self, small: Session, count: int, size: int
    ) -> None:
        block = alloc(small, count * size)
        fill(small, block, count * size, 0xFF)
        release(small, block)
        block = small.ok(f"malloc calloc {count} {size}").number("virtual")
        assert holds(small, block, bytes(count * size))

    @pytest.mark.parametrize(
        ("count", "size"), [(0x10000, 0x10001), (0x80000000, 2), (3, 0x55555556), (0, 5), (5, 0)]
    )
    def test_a_product_that_wraps_is_refused(self, small: Session, count: int, size: int) -> None:
        assert small.error(f"malloc calloc {count} {size}") == "memory"
        assert small.ok("heap").number("blocks") == 0


def wrong(session: Session, block: int) -> str:
    """Free what may not be freed; return the words for it."""
    asked = session.guest.monitor.command(f"heap check {block:#x}")
    assert not asked.ok
    ending = session.panic(f"heap free {block:#x}")
    assert ending.kind is EndingKind.PANIC
    assert ending.message is not None
    words = ending.message.partition(" freed: ")[2]
    assert asked.text == f"state: {block:#010x}: {words}"
    return words


class TestWrongFrees:
    """Each is caught."""

    def test_a_small_block_freed_twice(self, small: Session) -> None:
        alloc(small, 100)
        block = alloc(small, 100)
        release(small, block)
        assert wrong(small, block) == "free already"

    @pytest.mark.parametrize("size", [600, 10000])
    def test_a_large_block_freed_twice(self, small: Session, size: int) -> None:
        block = alloc(small, size)
        release(small, block)
        assert wrong(small, block) == "not the start of a live block"

    @pytest.mark.parametrize("offset", [16, -16, 1, PAGE])
    def test_a_pointer_into_a_large_block(self, small: Session, offset: int) -> None:
        block = alloc(small, 10000)
        assert wrong(small, block + offset) == "not the start of a live block"

    def test_a_pointer_into_a_small_block(self, small: Session) -> None:
        assert wrong(small, alloc(small, 100) + 16) == "not the start of an object"

    def test_an_object_of_somebody_else_s_cache(self, small: Session) -> None:
        small.ok("slab create mine 64")
        block = small.ok("slab alloc mine").number("virtual")
        assert wrong(small, block) == "not the start of a live block"

    @pytest.mark.parametrize("block", [16, 32, 0xC0100020, 0xC3000020, 0xF8400020, 0xFFFFF020])
    def test_a_foreign_pointer(self, small: Session, block: int) -> None:
        assert wrong(small, block) == "not the start of a live block"

    def test_an_overwritten_size(self, small: Session) -> None:
        block = alloc(small, 10000)
        small.ok(f"write {block - HEADER + 4:#x} 0x41414141")
        assert wrong(small, block) == "its header is overwritten"


def test_commands_of_a_heap_that_is_not_in_charge(kernel: KernelImage, pool: Pool) -> None:
    with booted(kernel, pool, 16 * MIB) as session:
        assert session.error("malloc") == "state"
    with booted(kernel, pool, 16 * MIB, append=CHOSEN) as session:
        assert session.error("kmalloc 100") == "state"
        assert session.error("kfree 0") == "state"


@both_layouts
@pytest.mark.parametrize("frames", ["buddy", "pair", "pmm", "bitmap"])
def test_any_frame_allocator_in_either_layout(kernel: KernelImage, pool: Pool, frames: str) -> None:
    with booted(kernel, pool, 16 * MIB, append=f"{CHOSEN} frames={frames}") as session:
        blocks = [alloc(session, size) for size in (1, 100, 512, 513, 9000, 70000)]
        assert all(block in layout_of(kernel).direct_map for block in blocks)
        session.assert_sound()
        for block in blocks:
            release(session, block)
        session.assert_sound()
