"""The bump allocator: its regions and cursors, and its functions' contract."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pytest

from harness.check.inspect import inspect_guest
from harness.image.kernel_image import KernelImage
from harness.machine.ending import EndingKind
from harness.machine.pool import Pool
from harness.machine.shape import BootInformationShape as Shape
from harness.machine.spec import MachineSpec, Module
from harness.maps.notation import parse_compact
from tests.kernel.early import (
    Early,
    frame_table_frames,
    reserved_frames,
    stopped,
    usable_frames,
)
from tests.kernel.session import MIB, PAGE, booted

DMA_END = 16 * MIB
DIRECT_MAP_END = 896 * MIB
DESCRIPTOR = 16
"""Bytes of a ``struct page``."""
REGION = struct.Struct("<3Q")
"""A ``struct memblock_region``: start, cursor, end."""
HEADER = 4
"""Bytes in front of ``regions`` in a ``struct memblock``: i386 aligns a uint64_t to 4."""
SKIPS = 64
"""Allocations that may skip whole frames, at least."""
CHOSEN = "early=memblock"


@pytest.fixture
def early(kernel: KernelImage, pool: Pool) -> Iterator[Early]:
    with stopped(kernel, pool, append=CHOSEN) as guest:
        yield guest


def regions(early: Early) -> list[tuple[int, int, int]]:
    """Return (start, cursor, end) of each region, in physical bytes."""
    pointer = early.word("memblock")
    count = int.from_bytes(early.guest.ram.read(pointer - early.base, 4), "little")
    start = pointer - early.base + HEADER
    return list(REGION.iter_unpack(early.guest.ram.read(start, count * REGION.size)))


def free(early: Early) -> set[int]:
    """Return the frames above the cursors."""
    found: set[int] = set()
    for _, cursor, end in regions(early):
        found.update(range(-(-cursor // PAGE), end // PAGE))
    return found


def physical(early: Early, pointer: int) -> int:
    assert pointer > early.base
    return pointer - early.base


def alloc(early: Early, size: int, align: int) -> int:
    """Allocate; return the physical address."""
    return physical(early, early.call("memblock_alloc", size, align))


def assert_regions(early: Early) -> None:
    """See that what is free is what is usable, not reserved, and not the frame table's."""
    gone = reserved_frames(early) | frame_table_frames(early)
    assert free(early) == usable_frames(early) - gone
    flat = [edge for start, _, end in regions(early) for edge in (start, end)]
    assert flat == sorted(flat)
    assert inspect_guest(early.guest, "early").violations == ()


@pytest.mark.parametrize("memory", [2 * MIB, 16 * MIB, 17 * MIB, 255 * MIB])
def test_the_regions_are_right_for_every_size(kernel: KernelImage, pool: Pool, memory: int) -> None:
    with stopped(kernel, pool, memory, append=CHOSEN) as early:
        assert_regions(early)


def test_an_unsorted_map_with_overlaps_and_holes(kernel: KernelImage, pool: Pool) -> None:
    odd = (
        "0-9fc00 usable, 1000000-1fff800 usable, 100000-800800 usable, 800800-a00000 usable, "
        "300000-301000 bad, c00000-c00fff usable"
    )
    with stopped(kernel, pool, map=parse_compact(odd, "here")[0], append=CHOSEN) as early:
        assert_regions(early)


@pytest.mark.parametrize(
    "shape",
    [
        Shape(module_addresses=(0x400000, 0x401800, 0x1000)),
        Shape(module_addresses=(DMA_END, DMA_END + 5000, 0x2000000 - 2500)),
        Shape(module_list_address=0x1FFFFC0, command_line_address=DMA_END + 0x2FF8),
    ],
    ids=["low", "at the frame table's place", "list at the end"],
)
def test_what_the_loader_left_is_skipped(kernel: KernelImage, pool: Pool, shape: Shape) -> None:
    modules = tuple(
        Module(bytes([i]) * size, f"module {i}") for i, size in enumerate((6144, 1, 2500))
    )
    with stopped(kernel, pool, modules=modules, shape=shape, append=CHOSEN) as early:
        assert_regions(early)


def test_as_many_modules_as_the_kernel_takes(kernel: KernelImage, pool: Pool) -> None:
    """Each cuts a region in two: 256 modules, each in a frame between two free ones."""
    addresses = tuple(4 * MIB + 2 * PAGE * i for i in range(256))
    shape = Shape(module_addresses=addresses)
    modules = (Module(b"module"),) * len(addresses)
    with stopped(kernel, pool, modules=modules, shape=shape, append=CHOSEN) as early:
        assert len(regions(early)) >= 256
        assert_regions(early)


def test_each_allocation_lies_right_behind_the_last_one(early: Early) -> None:
    first = physical(early, early.call("memblock_alloc_page"))
    assert first == min(frame for frame in free(early) if frame * PAGE >= DMA_END) * PAGE - PAGE
    assert alloc(early, 10, 1) == first + PAGE
    assert alloc(early, 1, 1) == first + PAGE + 10
    assert alloc(early, 3 * PAGE, 1) == first + PAGE + 11
    assert physical(early, early.call("memblock_alloc_page")) == first + 5 * PAGE


@pytest.mark.parametrize("align", [1, 2, 64, PAGE, 16 * PAGE, 4 * MIB, 8 * MIB])
def test_alignment(early: Early, align: int) -> None:
    """No whole frame is lost to it."""
    before = free(early)
    odd = alloc(early, 5, 1)
    block = alloc(early, 2 * PAGE, align)
    assert block % align == 0
    taken = {odd // PAGE, *range(block // PAGE, -(-block // PAGE) + 2)}
    assert taken <= before
    assert free(early) == before - taken
    rest = alloc(early, PAGE, PAGE) // PAGE
    assert rest in before - taken


@pytest.mark.parametrize("align", [0, 3, 12, 0xFFFFFFFF])
def test_an_alignment_that_is_no_power_of_two_panics(early: Early, align: int) -> None:
    ending = early.panic("memblock_alloc", PAGE, align)
    assert ending.kind is EndingKind.PANIC
    assert ending.message == f"memblock: alignment {align}, which is no power of two"


@pytest.mark.parametrize("size", [0, 32 * MIB, 0x80000000, 0xFFFFF001, 0xFFFFFFFF])
@pytest.mark.parametrize("align", [1, PAGE, 0x80000000])
def test_a_size_that_cannot_be_is_refused(early: Early, size: int, align: int) -> None:
    before = regions(early)
    assert early.call("memblock_alloc", size, align) == 0
    assert regions(early) == before


@pytest.mark.parametrize("pages", [0, 8193, 0x38001, 0x100000, 0x100001, 0xFFFFFFFF])
def test_a_number_of_pages_that_cannot_be_is_refused(early: Early, pages: int) -> None:
    before = regions(early)
    assert early.call("early_alloc_contiguous", pages) == 0
    assert regions(early) == before


def test_a_run_never_crosses_a_hole(kernel: KernelImage, pool: Pool) -> None:
    """Two runs of a MiB with a frame between them that is no RAM; the first holds the table too."""
    high = "1000000-1100000 usable, 1101000-1201000 usable"
    memory_map = parse_compact(f"0-9f000 usable, 100000-300000 usable, {high}", "here")[0]
    with stopped(kernel, pool, map=memory_map, append=CHOSEN) as early:
        table = early.word("mem_map") - early.base
        assert table == DMA_END
        assert alloc(early, 256 * PAGE, PAGE) == 0x1101000
        below = alloc(early, 256 * PAGE, PAGE)
        assert 0x100000 < below < 0x300000
        assert early.call("memblock_alloc", 256 * PAGE, PAGE) == 0
        assert alloc(early, PAGE, PAGE) == DMA_END + -(-0x1201 * DESCRIPTOR // PAGE) * PAGE


def test_the_dma_zone_comes_last(kernel: KernelImage, pool: Pool) -> None:
    with stopped(kernel, pool, 17 * MIB, append=CHOSEN) as early:
        high = {frame for frame in free(early) if frame * PAGE >= DMA_END}
        given = [physical(early, early.call("memblock_alloc_page")) // PAGE for _ in high]
        assert set(given) == high
        assert given == sorted(given)
        low = min(free(early))
        assert physical(early, early.call("memblock_alloc_page")) // PAGE == low


def test_a_run_across_the_dma_limit(kernel: KernelImage, pool: Pool) -> None:
    """Up to 1 GiB the frame table takes 4 MiB; here they are at the limit, or nowhere."""
    low = "0-9f000 usable, 100000-180000 usable, c00000-1200000 usable"
    memory_map = parse_compact(f"{low}, 38000000-40000000 usable", "here")[0]
    with stopped(kernel, pool, 1024 * MIB, map=memory_map, append=CHOSEN) as early:
        assert early.word("mem_map") - early.base == 12 * MIB
        assert_regions(early)


def test_nothing_beyond_the_direct_map_is_given_out(kernel: KernelImage, pool: Pool) -> None:
    """Though it is there for the hand-over."""
    notation = "0-9f000 usable, 100000-520000 usable, 37fff000-38003000 usable"
    memory_map = parse_compact(notation, "here")[0]
    with stopped(kernel, pool, 1024 * MIB, map=memory_map, append=CHOSEN) as early:
        for frame in list(free(early)):
            if frame * PAGE < DIRECT_MAP_END:
                assert physical(early, early.call("memblock_alloc_page")) < DIRECT_MAP_END
        assert early.call("memblock_alloc_page") == 0
        assert free(early) == {0x38000, 0x38001, 0x38002}


def test_every_frame_can_be_had_and_is_had_once(kernel: KernelImage, pool: Pool) -> None:
    memory_map = parse_compact("0-9f000 usable, 100000-170000 usable, 1000000-1010000 usable", "-")
    with stopped(kernel, pool, map=memory_map[0], append=CHOSEN) as early:
        there = free(early)
        given = [physical(early, early.call("memblock_alloc_page")) // PAGE for _ in there]
        assert set(given) == there
        assert early.call("memblock_alloc_page") == 0
        assert early.call("memblock_alloc", 1, 1) == 0


@pytest.mark.slow
def test_a_full_table_refuses_to_skip_frames_and_loses_none(early: Early) -> None:
    """Each skip of whole frames takes a place in the table; every block here leaves one behind."""
    before, taken = free(early), set()
    while block := early.call("memblock_alloc", PAGE, 4 * PAGE):
        taken.add(physical(early, block) // PAGE)
    assert SKIPS <= len(taken) < len(before) // 4
    assert free(early) == before - taken
    assert physical(early, early.call("memblock_alloc_page")) // PAGE in before - taken


def test_there_is_no_free(early: Early) -> None:
    page = early.call("memblock_alloc_page")
    ending = early.panic("early_free_contiguous", page, 1)
    assert ending.kind is EndingKind.PANIC
    assert ending.message == f"memblock: {page:#010x} freed, but nothing can be given back to it"


def test_a_call_after_the_hand_over_is_caught(kernel: KernelImage, pool: Pool) -> None:
    with booted(kernel, pool, append=CHOSEN) as session:
        ending = session.panic("memblock alloc")
        assert ending.kind is EndingKind.PANIC
        assert ending.message == "memblock: called before memblock_init or after its hand-over"


@pytest.mark.parametrize(("chosen", "other"), [("memblock", "bootmem"), ("bootmem", "memblock")])
def test_the_allocator_that_was_not_chosen_is_not_there(
    kernel: KernelImage, pool: Pool, chosen: str, other: str
) -> None:
    with stopped(kernel, pool, append=f"early={chosen}") as early:
        assert early.word(chosen) != 0
        assert early.word(other) == 0


@pytest.mark.parametrize("name", ["buddy", "", "memblock2", "x" * 100])
def test_an_unknown_name_panics_with_those_that_there_are(
    kernel: KernelImage, pool: Pool, name: str
) -> None:
    with pool.boot(MachineSpec(kernel, 16 * MIB, append=f"early={name}")) as guest:
        ending = guest.run_until_ready()
    assert ending.kind is EndingKind.PANIC
    assert ending.message == f"no early allocator '{name}': there are bootmem, memblock"
