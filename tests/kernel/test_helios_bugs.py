"""The faults of the published design behind documents 000 and 001: this kernel has none of them."""

from __future__ import annotations

import pytest

from harness.image.kernel_image import KernelImage
from harness.machine.ending import EndingKind
from harness.machine.pool import Pool
from harness.maps.notation import parse_compact
from tests.kernel.early import frame_table_frames, stopped
from tests.kernel.session import MAX_ORDER, MIB, PAGE, Session, booted

HELIOS = "mm=helios"
LOW = "0-9f000 usable, "


def everything(session: Session) -> set[int]:
    """Return every frame that can be had."""
    blocks = session.exhaust("high")
    return {block // PAGE + i for block, order in blocks for i in range(1 << order)}


@pytest.mark.parametrize("end", [0x1000000, 0x0FFF000, 0x0FFE000, 0x0FE0000, 0x0FE1000])
def test_the_last_usable_page_is_not_lost(kernel: KernelImage, pool: Pool, end: int) -> None:
    """Its number is no number of frames. It is free, or the kernel has it by now."""
    memory_map = parse_compact(f"{LOW}100000-{end:x} usable", "here")[0]
    with booted(kernel, pool, map=memory_map, append=HELIOS) as session:
        last = session.ok(f"frame {end - PAGE:#x}").values["flags"]
        taken = last in ("table", "metadata")
        assert taken or max(everything(session)) == end // PAGE - 1
        session.assert_sound()


def test_the_last_region_does_not_decide_where_memory_ends(kernel: KernelImage, pool: Pool) -> None:
    text = "c00000-1000000 usable, 100000-800000 usable, 0-9f000 usable"
    with booted(kernel, pool, map=parse_compact(text, "here")[0], append=HELIOS) as session:
        assert max(everything(session)) == 16 * MIB // PAGE - 1


@pytest.mark.parametrize("more", range(0, 64, 9))
def test_the_bits_of_the_last_frames_are_initialised(
    kernel: KernelImage, pool: Pool, more: int
) -> None:
    """RAM is not zero here: a word of the bitmap that was left as it was would show."""
    end = 8 * MIB + more * PAGE
    memory_map = parse_compact(f"{LOW}100000-{end:x} usable", "here")[0]
    with stopped(kernel, pool, map=memory_map, append=HELIOS) as early:
        last = set(range(end // PAGE - 40, end // PAGE))
        assert not last & early.taken()
        assert set(range(end // PAGE, -(-end // PAGE // 32) * 32)) <= early.taken()


def test_no_word_is_written_behind_the_bitmap(kernel: KernelImage, pool: Pool) -> None:
    """That of 128 MiB fills its page to the last word; behind it is what RAM held before."""
    with stopped(kernel, pool, 128 * MIB, append=HELIOS) as early:
        behind = early.bitmap_frames().stop
        assert len(early.bitmap_frames()) * PAGE * 8 == 128 * MIB // PAGE
        assert behind not in early.taken()
        assert early.guest.ram.read(behind * PAGE, PAGE) == b"\xa5" * PAGE


@pytest.mark.parametrize("count", [0, 3000, 0x38001, 0xFFFFFFFF])
def test_a_failed_request_is_not_made_an_address_of(
    kernel: KernelImage, pool: Pool, count: int
) -> None:
    with stopped(kernel, pool, 8 * MIB, append=HELIOS) as early:
        assert early.call("bootmem_alloc_contiguous", count) == 0
    with booted(kernel, pool, 8 * MIB, append=HELIOS) as session:
        assert session.error(f"pages {count}") == "memory"


def test_double_frees_are_checked(kernel: KernelImage, pool: Pool) -> None:
    with booted(kernel, pool, append=HELIOS) as session:
        block = session.alloc(2)
        session.free(block, 2)
        assert session.panic(f"free {block:#x} 2").kind is EndingKind.PANIC


def test_the_range_of_a_free_is_checked(kernel: KernelImage, pool: Pool) -> None:
    with booted(kernel, pool, append=HELIOS) as session:
        ending = session.panic("free 0xfffff000 0")
        assert ending.message == "buddy: frame 0xfffff freed, which is beyond the frame table"


def test_frame_0_is_never_handed_out(kernel: KernelImage, pool: Pool) -> None:
    """Its address is what failure looks like."""
    with stopped(kernel, pool, 4 * MIB, append=HELIOS) as early:
        given = []
        while page := early.call("bootmem_alloc_page"):
            given.append((page - early.base) // PAGE)
        assert 0 not in given
    with booted(kernel, pool, 4 * MIB, append=HELIOS) as session:
        assert 0 not in everything(session)


def test_the_hand_over_keeps_the_end_of_the_frame_table(kernel: KernelImage, pool: Pool) -> None:
    """Whose last page is used in part, beside a bitmap that is given back."""
    with stopped(kernel, pool, 9 * MIB, append=HELIOS) as early:
        table = frame_table_frames(early)
    with booted(kernel, pool, 9 * MIB, append=HELIOS) as session:
        assert not table & everything(session)
        session.assert_sound()


def test_the_largest_block_has_the_documented_1024_pages(kernel: KernelImage, pool: Pool) -> None:
    with booted(kernel, pool, 16 * MIB, append=HELIOS) as session:
        block = session.alloc(MAX_ORDER)
        assert block % (1024 * PAGE) == 0
        session.assert_sound()


def test_an_empty_list_gives_no_block(kernel: KernelImage, pool: Pool) -> None:
    """The head of a list, taken for a page, is what stands behind the end of a search."""
    with booted(kernel, pool, 3 * MIB, append=HELIOS) as session:
        session.exhaust("high")
        assert session.error("alloc 0 high") == "memory"
        session.assert_sound()


def test_a_buddy_beyond_the_end_of_memory_is_not_looked_at(kernel: KernelImage, pool: Pool) -> None:
    """The last frame has none: its number is even."""
    end = 8 * MIB + PAGE
    memory_map = parse_compact(f"{LOW}100000-{end:x} usable", "here")[0]
    with booted(kernel, pool, map=memory_map, append=HELIOS) as session:
        blocks = session.exhaust("high")
        assert (8 * MIB, 0) in blocks
        session.free_all(blocks)
        session.assert_sound()


def test_the_mark_of_a_free_block_goes_with_it(kernel: KernelImage, pool: Pool) -> None:
    """Neither a half that was merged away has it, nor lacks it one that was split off."""
    with booted(kernel, pool, 3 * MIB, append=HELIOS) as session:
        block = session.alloc(3)
        quarter = block + 2 * PAGE
        session.free(block, 3)
        session.assert_sound()
        assert "free" not in session.ok(f"frame {quarter:#x}").values["flags"]
        pieces = session.drain(0)
        session.free(pieces[0], 0)
        assert "free" in session.ok(f"frame {pieces[0]:#x}").values["flags"]
        session.assert_sound()


def test_the_order_of_a_block_shares_its_place_with_nothing(
    kernel: KernelImage, pool: Pool
) -> None:
    """What a user's frames are marked with leaves the order as it was."""
    with booted(kernel, pool, append=HELIOS) as session:
        for order in range(MAX_ORDER):
            frame = session.ok(f"frame {session.alloc(order):#x}").values
            assert (frame["order"], frame["flags"]) == (str(order), "held")


@pytest.mark.parametrize("memory", [size * MIB for size in (8, 16, 32, 64, 128, 256)])
def test_no_size_of_memory_hangs(kernel: KernelImage, pool: Pool, memory: int) -> None:
    with booted(kernel, pool, memory, append=HELIOS) as session:
        session.assert_sound()
