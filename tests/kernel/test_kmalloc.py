"""kmalloc's contract, asked through the monitor of a booted kernel."""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pytest

from harness.image.kernel_image import KernelImage
from harness.machine.ending import EndingKind
from harness.machine.pool import Pool
from harness.machine.spec import MachineSpec
from harness.workload.operation import Kind, operation, operations
from harness.workload.tape import Tape, tape_module
from tests.kernel.layouts import both_layouts, layout_of
from tests.kernel.session import MIB, PAGE, Session, booted, page_fault

HEADER = 8
"""Size and magic, 32 bits each."""


@pytest.fixture
def small(kernel: KernelImage, pool: Pool) -> Iterator[Session]:
    with booted(kernel, pool, 16 * MIB) as session:
        yield session


def pages_of(size: int) -> int:
    return -(-(size + HEADER) // PAGE)


@both_layouts
@pytest.mark.parametrize("size", [1, 7, 8, 4087, 4088, 4089, 8184, 8185, 65536, MIB + 1])
def test_a_block_takes_just_the_pages_that_it_needs(small: Session, size: int) -> None:
    block = small.kmalloc(size)
    assert block % 8 == 0
    assert block - HEADER == small.layout.areas.start
    heap = small.ok("heap")
    assert heap.number("frames") == pages_of(size)
    assert (heap.number("blocks"), heap.number("bytes")) == (1, size)
    assert small.touch(block + size - 1 & ~3).vector is None
    behind = small.layout.areas.start + pages_of(size) * PAGE
    assert small.touch(behind) == page_fault(behind)
    small.assert_sound()


@pytest.mark.parametrize("size", [0, *range(0xFFFFEFF0, 1 << 32, 409), 0xFFFFFFFF])
def test_nothing_and_what_wraps_are_refused(small: Session, size: int) -> None:
    before = small.zone()
    assert small.error(f"kmalloc {size}") == "memory"
    assert small.zone() == before
    assert small.ok("heap").number("blocks") == 0


def test_sizes_that_wrap_leave_a_sound_state(small: Session) -> None:
    """Size and header together, or their pages' bytes, go beyond 32 bits."""
    block = small.kmalloc(100)
    for size in (0xFFFFFFFF, 0xFFFFFFF8, 0xFFFFFFF7, 0xFFFFF000, 0xFFFFEFF8, 0x80000000):
        assert small.error(f"kmalloc {size}") == "memory"
    small.ok(f"kfree {block:#x}")
    small.assert_sound()


@both_layouts
def test_address_space_runs_out_before_memory(kernel: KernelImage, pool: Pool) -> None:
    """The areas have 116 or 1,016 MiB; no frame may be lost on a block that does not fit."""
    with booted(kernel, pool, len(layout_of(kernel).areas) + 140 * MIB) as session:
        before = session.zone()
        size = len(session.layout.areas) - HEADER
        assert session.error(f"kmalloc {size + 1}") == "memory"
        assert session.zone() == before
        whole = session.kmalloc(size)
        assert whole == session.layout.areas.start + HEADER
        session.assert_sound()
        assert session.error("kmalloc 1") == "memory"
        session.ok(f"kfree {whole:#x}")
        assert session.zone().blocks == before.blocks
        session.assert_sound()


@both_layouts
def test_exhausted_memory_gives_nothing_and_keeps_nothing(small: Session) -> None:
    small.ok(f"kfree {small.kmalloc(1):#x}")
    before = small.zone()
    assert small.error(f"kmalloc {32 * MIB}") == "memory"
    assert small.zone().blocks == before.blocks
    small.assert_sound()
    assert small.kmalloc(1) == small.layout.areas.start + HEADER


def test_memory_can_be_used_up_and_recovered(small: Session) -> None:
    before = small.zone()
    blocks = []
    while (answer := small.guest.monitor.command("kmalloc 300000")).ok:
        blocks.append(answer.number("virtual"))
    assert len(blocks) > 16 * MIB // 300000 * 3 // 4
    small.assert_sound()
    for block in blocks[1::2] + blocks[::2]:
        small.ok(f"kfree {block:#x}")
    assert small.zone().blocks == before.blocks
    small.assert_sound()


@both_layouts
def test_without_a_frame_for_its_table_a_block_is_refused(small: Session) -> None:
    """One frame is left: the block's page gets it, then the page table finds none."""
    last = small.alloc(0)
    small.exhaust()
    assert small.error("kmalloc 1") == "memory"
    small.free(last, 0)
    assert small.error("kmalloc 1") == "memory"
    assert small.zone().free == 1
    small.assert_sound()


def test_contents_survive_their_neighbours(small: Session) -> None:
    sizes = [1, 100, 4088, 4089, 10000, 65536]
    blocks = [(small.kmalloc(size), size, 0x30 + index) for index, size in enumerate(sizes)]
    for block, size, byte in blocks:
        small.ok(f"fill {block:#x} {size} {byte}")
    for block, *_ in blocks[1::2]:
        small.ok(f"kfree {block:#x}")
    for size in (2, 20000):
        small.ok(f"fill {small.kmalloc(size):#x} {size} 0xff")
    for block, size, byte in blocks[::2]:
        answer = small.ok(f"sum {block:#x} {size}")
        assert answer.number("crc32") == zlib.crc32(bytes([byte]) * size)
    small.assert_sound()


@both_layouts
def test_a_freed_block_is_unmapped_whole(small: Session) -> None:
    """Also its first page, or the next block there cannot be mapped."""
    before = small.zone()
    block = small.kmalloc(3 * PAGE)
    assert small.touch(block).vector is None
    small.ok(f"kfree {block:#x}")
    for page in range(4):
        address = small.layout.areas.start + page * PAGE
        assert small.touch(address, "write", 1) == page_fault(address, write=True)
    assert small.zone().blocks == before.blocks
    assert small.kmalloc(3 * PAGE) == block


def test_blocks_are_writable_with_write_protection_on(small: Session) -> None:
    """CR0.WP (bit 16) is set, so a read-only heap could not hide."""
    assert small.ok("cpu").number("cr0") & 1 << 16
    block = small.kmalloc(PAGE)
    assert small.touch(block, "write", 0x12345678).value == 0x12345678


def test_freeing_null_does_nothing(small: Session) -> None:
    before = small.zone()
    small.ok("kfree 0")
    assert small.zone() == before


@pytest.mark.parametrize("offset", [8, -8, 1, 4, 4096, 4088])
def test_a_pointer_into_a_block_is_no_block(small: Session, offset: int) -> None:
    small.kmalloc(100)
    block = small.kmalloc(3 * PAGE)
    ending = small.panic(f"kfree {block + offset:#x}")
    assert ending.kind is EndingKind.PANIC
    assert ending.message == f"kfree: {block + offset:#010x} is not the start of a live block"


@both_layouts
@pytest.mark.parametrize(
    "place", ["page 0", "image", "direct map", "window", "user space", "the last byte"]
)
def test_a_foreign_pointer_is_no_block(small: Session, place: str) -> None:
    layout = small.layout
    starts = {"page 0": 0, "image": layout.base + MIB, "direct map": layout.base + 4 * MIB,
              "window": layout.window, "user space": layout.some_user}  # fmt: skip
    address = starts[place] + HEADER if place in starts else 0xFFFFFFFF
    ending = small.panic(f"kfree {address:#x}")
    assert ending.message == f"kfree: {address:#010x} is not the start of a live block"
    assert "kfree" in [frame.function for frame in ending.backtrace]


@both_layouts
def test_a_double_free_is_caught(small: Session) -> None:
    """The magic may still stand in the frame; it must not be believed."""
    small.kmalloc(1)
    block = small.kmalloc(5000)
    small.ok(f"kfree {block:#x}")
    ending = small.panic(f"kfree {block:#x}")
    assert ending.message == f"kfree: {block:#010x} is not the start of a live block"


@pytest.mark.parametrize("word", [-4, -8], ids=["magic", "size"])
def test_an_overwritten_header_is_caught(small: Session, word: int) -> None:
    block = small.kmalloc(5000)
    small.ok(f"write {block + word:#x} 0x41414141")
    ending = small.panic(f"kfree {block:#x}")
    assert ending.kind is EndingKind.PANIC
    assert ending.message.startswith(f"kmalloc: block {block:#010x} has ")
    assert ("0x41414141" if word == -4 else str(0x41414141)) in ending.message


class FirstFit:
    """Virtual pages as the policy wants them: the lowest gap that is long enough."""

    def __init__(self, start: int) -> None:
        self.start = start
        self.used: dict[int, int] = {}

    def take(self, pages: int) -> int:
        at = self.start
        for start in sorted(self.used):
            if start - at >= pages * PAGE:
                break
            at = start + self.used[start] * PAGE
        self.used[at] = pages
        return at


@both_layouts
@pytest.mark.parametrize("seed", range(3))
def test_addresses_are_the_first_that_fit(small: Session, seed: int) -> None:
    choose, model = random.Random(seed), FirstFit(small.layout.areas.start)
    live: list[int] = []
    for _ in range(60):
        if live and choose.random() < 0.45:
            start = live.pop(choose.randrange(len(live)))
            del model.used[start]
            small.ok(f"kfree {start + HEADER:#x}")
        else:
            size = choose.choice([1, 4088, 4089, 12000, 40000])
            live.append(small.kmalloc(size) - HEADER)
            assert live[-1] == model.take(pages_of(size))
    heap = small.assert_sound().state.heaps[0]
    assert {area.start: area.pages for area in heap.areas if area.used} == model.used


def test_more_blocks_than_one_page_of_records(small: Session) -> None:
    """Each area has a record; one frame holds about two hundred, and stays for ever."""
    before = small.zone()
    blocks = [small.kmalloc(1) for _ in range(250)]
    small.assert_sound()
    for block in blocks[::3] + blocks[1::3] + blocks[2::3]:
        small.ok(f"kfree {block:#x}")
    records = small.assert_sound().state.metadata
    kept = sum(len(area) for entry in records if entry.owner for area in entry.storage) // PAGE
    assert small.zone().free == before.free - (kept - 1)


def test_records_of_areas_are_used_again(small: Session) -> None:
    """More blocks one after another than a frame has records take no frame."""
    before = small.zone()
    for _ in range(300):
        small.ok(f"kfree {small.kmalloc(1):#x}")
    assert small.zone().blocks == before.blocks
    small.assert_sound()


def test_no_operation_costs_more_where_more_blocks_live(kernel: KernelImage, pool: Pool) -> None:
    """Neither the search for addresses nor that for a block walks over the blocks that live."""
    many = 8000
    spec = MachineSpec(kernel, 64 * MIB, modules=(tape_module(kernel, many, many),), icount=True)
    with pool.boot(spec) as guest:
        assert guest.run_until_ready().kind is EndingKind.READY
        tape = Tape(guest)
        allocs = ticks_of(tape, Kind.HEAP_ALLOC, range(many))
        frees = ticks_of(tape, Kind.HEAP_FREE, range(many - 1, -1, -1))
        for ticks in allocs, frees:
            first, last = np.median(ticks[:200]), np.median(ticks[-200:])
            assert max(first, last) <= 1.5 * min(first, last)


def ticks_of(tape: Tape, kind: Kind, slots: range) -> npt.NDArray[np.uint32]:
    """Return the instructions of one operation on a block of a page in each slot."""
    found: npt.NDArray[np.uint32] = tape.run(
        operations(operation(kind, slot, 100) for slot in slots)
    )["ticks"]
    return found
