"""The early allocator: its bitmap before it hands over, and its functions' contract."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest

from harness.check.inspect import inspect_guest
from harness.image.kernel_image import KernelImage
from harness.machine.ending import EndingKind
from harness.machine.pool import Pool
from harness.machine.shape import BootInformationShape as Shape
from harness.machine.spec import Module
from harness.maps.notation import parse_compact
from tests.kernel.early import Early, reserved_frames, stopped, usable_frames
from tests.kernel.layouts import both_layouts
from tests.kernel.session import MIB, PAGE, booted

pytestmark = both_layouts

DMA_END = 16 * MIB
DESCRIPTOR = 16
"""Bytes of a ``struct page``."""
SIZES = [2 * MIB, 4 * MIB, 8 * MIB, 16 * MIB, 17 * MIB, 64 * MIB, 255 * MIB]
ODD = (
    "0-9fc00 usable, 1000000-1fff800 usable, 100000-800800 usable, 800800-a00000 usable, "
    "300000-301000 bad, c00000-c00fff usable"
)
STRINGS_ALONE = Shape(
    information_address=0x400000,
    map_address=0x402000,
    command_line_address=0x404000,
    module_list_address=0x406000,
)
"""What is left at the usual place are strings: no other reservation covers their frame."""


@pytest.fixture
def early(kernel: KernelImage, pool: Pool) -> Iterator[Early]:
    with stopped(kernel, pool) as guest:
        yield guest


def assert_bitmap(early: Early) -> None:
    """See that bits are set for what is no RAM or reserved, and for the frame table."""
    there, taken = usable_frames(early), early.taken()
    end = max(there) + 1
    everything = set(range(-(-end // 32) * 32))
    expected = (everything - there) | (
        (reserved_frames(early) | {*early.bitmap_frames()}) & everything
    )
    table = sorted(taken - expected)
    assert expected <= taken
    assert len(table) == -(-end * DESCRIPTOR // PAGE)
    assert all(high - low == 1 for low, high in pairwise(table))
    assert inspect_guest(early.guest, "early").violations == ()


@pytest.mark.parametrize("memory", SIZES)
def test_the_bitmap_is_right_for_every_size(kernel: KernelImage, pool: Pool, memory: int) -> None:
    """Also where the last frame's number is a multiple of 32, or is not."""
    with stopped(kernel, pool, memory) as early:
        assert_bitmap(early)


@pytest.mark.parametrize("end", [0x1FFF000, 0x1FE0000, 0x1FE1000, 0x1FDF000, 0x1FFF7FF])
def test_the_last_frames_have_bits(kernel: KernelImage, pool: Pool, end: int) -> None:
    memory_map = parse_compact(f"0-9f000 usable, 100000-{end:x} usable", "here")[0]
    with stopped(kernel, pool, map=memory_map) as early:
        assert_bitmap(early)


def test_an_unsorted_map_does_not_shrink_ram(kernel: KernelImage, pool: Pool) -> None:
    with stopped(kernel, pool, map=parse_compact(ODD, "here")[0]) as early:
        assert_bitmap(early)


@pytest.mark.parametrize(
    "shape",
    [
        Shape(module_addresses=(0x400000, 0x401800, 0x1000)),
        Shape(module_addresses=(DMA_END, DMA_END + 5000, 0x2000000 - 2500)),
        Shape(module_addresses=(0x400000, None, 0x1000), module_strings=False),
        Shape(module_list_address=0x1FFFFC0, command_line_address=DMA_END + 0x2FF8),
        Shape(information_address=DMA_END - 36, map_address=0x1FFEFFC),
        STRINGS_ALONE,
    ],
    ids=[
        *("low", "at the frame table's place", "no strings", "list at the end"),
        *("across borders", "strings alone"),
    ],
)
def test_what_the_loader_left_is_reserved(kernel: KernelImage, pool: Pool, shape: Shape) -> None:
    """Also where it lies in the best place for the allocator's own records."""
    modules = tuple(
        Module(bytes([i]) * size, f"module {i}") for i, size in enumerate((6144, 1, 2500))
    )
    # The last KiB of conventional memory is usable here: strings go to whole frames.
    memory_map = parse_compact("0-a0000 usable, 100000-2000000 usable", "here")[0]
    spec = {"map": memory_map, "modules": modules, "shape": shape}
    with stopped(kernel, pool, **spec) as early:
        assert len(early.guest.placements) >= 7
        assert_bitmap(early)
    with booted(kernel, pool, 32 * MIB, **spec) as session:
        session.assert_sound()
        blocks = session.exhaust("high")
        for block, order in blocks:
            for placement in session.guest.placements:
                assert block + (PAGE << order) <= placement.start or (
                    placement.start + placement.length <= block
                )


def test_a_page_is_the_first_free_one_above_the_dma_zone(early: Early) -> None:
    before = early.taken()
    first = early.call("bootmem_alloc_page")
    assert first % PAGE == 0
    frame = (first - early.base) // PAGE
    assert frame == min(set(range(DMA_END // PAGE, 32 * MIB // PAGE)) - before)
    assert early.taken() == before | {frame}
    early.call("bootmem_free_page", first)
    assert early.taken() == before
    assert early.call("bootmem_alloc_page") == first


@pytest.mark.parametrize("count", [1, 2, 31, 32, 33, 64, 1000])
def test_contiguous_frames_are_contiguous_and_free(early: Early, count: int) -> None:
    before = early.taken()
    first = (early.call("bootmem_alloc_contiguous", count) - early.base) // PAGE
    block = set(range(first, first + count))
    assert not block & before
    assert early.taken() == before | block
    early.call("bootmem_free_contiguous", early.base + first * PAGE, count)
    assert early.taken() == before


@pytest.mark.parametrize("count", [0, 8193, 0x100000, 0x80000000, 0xFFFFFFFF])
def test_a_count_that_cannot_be_is_refused(early: Early, count: int) -> None:
    before = early.taken()
    assert early.call("bootmem_alloc_contiguous", count) == 0
    assert early.taken() == before


def test_a_run_stops_at_what_is_taken_and_at_the_end(early: Early) -> None:
    """The longest free run can be had whole; one frame more cannot."""
    free = sorted(set(range(32 * MIB // PAGE)) - early.taken())
    runs = [[free[0]]]
    for low, high in pairwise(free):
        runs[-1].append(high) if high == low + 1 else runs.append([high])
    longest = max(runs, key=len)
    assert early.call("bootmem_alloc_contiguous", len(longest) + 1) == 0
    assert early.call("bootmem_alloc_contiguous", len(longest)) == early.base + longest[0] * PAGE


def test_every_frame_can_be_had_and_is_had_once(kernel: KernelImage, pool: Pool) -> None:
    memory_map = parse_compact("0-9f000 usable, 100000-170000 usable, 1000000-1010000 usable", "-")
    with stopped(kernel, pool, map=memory_map[0]) as early:
        free = set(range(0x1010)) - early.taken()
        given = {(early.call("bootmem_alloc_page") - early.base) // PAGE for _ in free}
        assert given == free
        assert early.call("bootmem_alloc_page") == 0
        early.call("bootmem_free_page", early.base + min(free) * PAGE)
        assert early.call("bootmem_alloc_page") == early.base + min(free) * PAGE


@pytest.mark.parametrize(
    ("physical", "said"),
    [
        (0, "frame 0x0 freed, which was never allocated"),
        (MIB, "frame 0x100 freed, which was never allocated"),
        (0xA0000, "frame 0xa0 freed, which is not RAM"),
        (32 * MIB, "frame 0x2000 freed, which is not RAM"),
        (31 * MIB, "frame 0x1f00 freed twice"),
    ],
)
def test_a_wrong_free_panics_with_the_frame(early: Early, physical: int, said: str) -> None:
    ending = early.panic("bootmem_free_page", early.base + physical)
    assert ending.kind is EndingKind.PANIC
    assert ending.message == f"bootmem: {said}"


@pytest.mark.parametrize("offset", [31 * MIB + 8, 896 * MIB, 0x50000000, -PAGE])
def test_a_free_of_what_is_no_page_of_the_direct_map_panics(early: Early, offset: int) -> None:
    """By its offset from the direct map's start, before which there may be nothing at all."""
    address = (early.base + offset) % (1 << 32)
    ending = early.panic("bootmem_free_page", address)
    said = f"bootmem: {address:#010x} freed, which is no page of the direct map"
    assert ending.message == said


def test_a_double_free_panics_with_the_frame(early: Early) -> None:
    page = early.call("bootmem_alloc_page")
    early.call("bootmem_free_page", page)
    ending = early.panic("bootmem_free_page", page)
    assert ending.message == f"bootmem: frame {(page - early.base) // PAGE:#x} freed twice"


def test_the_bitmap_itself_is_not_freed(early: Early) -> None:
    frame = early.bitmap_frames().start
    ending = early.panic("bootmem_free_page", early.base + frame * PAGE)
    assert ending.message == f"bootmem: frame {frame:#x} freed, which was never allocated"


@pytest.mark.parametrize("command", ["bootmem alloc", "bootmem free"])
def test_a_call_after_the_hand_over_is_caught(
    kernel: KernelImage, pool: Pool, command: str
) -> None:
    with booted(kernel, pool) as session:
        ending = session.panic(command)
        assert ending.kind is EndingKind.PANIC
        assert ending.message == "bootmem: called before bootmem_init or after bootmem_free_all"


def test_the_hand_over_gives_every_free_frame_and_the_bitmaps(
    kernel: KernelImage, pool: Pool
) -> None:
    with stopped(kernel, pool) as early:
        free = 32 * MIB // PAGE - len(early.taken()) + len(early.bitmap_frames())
    with booted(kernel, pool, 32 * MIB) as session:
        assert session.zone().managed == free
