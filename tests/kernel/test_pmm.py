"""The page frame allocator by next fit, by its own functions."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.image.kernel_image import KernelImage
from harness.machine.ending import EndingKind
from harness.machine.pool import Pool
from harness.maps.notation import parse_compact
from tests.kernel.layouts import both_layouts
from tests.kernel.session import MIB, PAGE, Session, booted

DIRECT_MAP_END = 896 * MIB
CHOSEN = "frames=pmm"
MAP = parse_compact(
    "100000-200000 usable, 1000000-1018000 usable, 1020000-1030000 usable, "
    "38000000-38010000 usable",
    "here",
)[0]
"""The image and some hundred frames; room for the boot's records; 16 frames more; 16 beyond the
direct map."""
UPPER = range(0x1020000, 0x1030000, PAGE)


@pytest.fixture
def session(kernel: KernelImage, pool: Pool) -> Iterator[Session]:
    with booted(kernel, pool, 1024 * MIB, map=MAP, append=CHOSEN) as found:
        yield found


def pmm(session: Session, what: str) -> int:
    """Give a command that must succeed; return the physical address of the pages."""
    return session.ok(f"pmm {what}").number("physical")


def cursor(session: Session) -> int:
    """Return the physical address at which the next search begins."""
    return session.ok("pmm state").number("cursor") * PAGE


def drained(session: Session, count: int = 1) -> list[int]:
    """Allocate until there is nothing; return the physical addresses in the order of coming."""
    found: list[int] = []
    while (answer := session.guest.monitor.command(f"pmm alloc {count}")).ok:
        found.append(answer.number("physical"))
    return found


@both_layouts
def test_pages_in_a_row_come_and_go(session: Session) -> None:
    before = session.ok("pmm state")
    first = pmm(session, "alloc 3")
    assert session.ok("pmm state").number("free") == before.number("free") - 3
    session.assert_sound()
    pmm(session, f"free {first:#x} 3")
    assert session.ok("pmm state").number("free") == before.number("free")
    session.assert_sound()


def test_the_search_goes_on_behind_the_last_allocation(session: Session) -> None:
    """Also when what was allocated is free again: a free does not move the cursor."""
    first = pmm(session, "alloc 2")
    assert cursor(session) == first + 2 * PAGE
    pmm(session, f"free {first:#x} 2")
    assert cursor(session) == first + 2 * PAGE
    assert pmm(session, "alloc 1") == first + 2 * PAGE
    session.assert_sound()


def test_the_search_wraps_once_and_orphans_no_frame(session: Session) -> None:
    """All frames come, ascending from the cursor and then from the bottom; each of them once."""
    first = pmm(session, "alloc 20")
    pmm(session, f"free {first:#x} 20")
    start = cursor(session)
    frames = drained(session)
    wrapped = [frame for frame in frames if frame >= start] + sorted(
        frame for frame in frames if frame < start
    )
    assert frames == wrapped
    assert frames[-1] < start
    assert len(frames) == len(set(frames))
    assert session.ok("frames").number("free") == 16
    session.assert_sound()


def test_a_run_across_the_cursor_is_found_in_the_second_round(session: Session) -> None:
    frames = drained(session)
    for frame in UPPER:
        pmm(session, f"free {frame:#x} 1")
    assert pmm(session, "alloc 5") == UPPER.start
    pmm(session, f"free {UPPER.start:#x} 5")
    assert cursor(session) == UPPER.start + 5 * PAGE
    assert session.error("pmm alloc 17") == "memory"
    assert pmm(session, "alloc 16") == UPPER.start
    assert set(UPPER) <= set(frames)
    session.assert_sound()


def test_the_second_round_reaches_as_far_as_a_run_may(session: Session) -> None:
    """The only run of three begins just before the cursor, and ends two frames behind it."""
    drained(session)
    start = UPPER.start + PAGE
    for frame in range(start, start + 3 * PAGE, PAGE):
        pmm(session, f"free {frame:#x} 1")
    assert pmm(session, "alloc 1") == start
    pmm(session, f"free {start:#x} 1")
    assert cursor(session) == start + PAGE
    assert pmm(session, "alloc 3") == start
    session.assert_sound()


def test_a_failure_does_not_move_the_cursor(session: Session) -> None:
    pmm(session, "alloc 7")
    before = cursor(session)
    assert session.error("pmm alloc 5000") == "memory"
    assert session.error("pmm alloc 0") == "memory"
    assert cursor(session) == before
    session.assert_sound()


def test_a_cursor_beyond_a_wish_s_limit_begins_at_the_bottom(session: Session) -> None:
    """The cursor is one for all wishes: at the end of memory the next search begins below."""
    high = [session.alloc(0, "high") for _ in range(session.ok("frames").number("free"))]
    assert max(high) >= DIRECT_MAP_END
    assert cursor(session) == max(high) + PAGE
    session.free(min(high), 0)
    session.free(max(high), 0)
    assert session.alloc(0, "dma") == min(high)
    assert session.alloc(0, "high") == max(high)
    session.assert_sound()


def test_only_pages_of_the_direct_map_have_a_pointer(session: Session) -> None:
    assert max(drained(session)) == UPPER[-1]
    assert session.error("pmm alloc 1") == "memory"
    assert session.alloc(0, "high") == DIRECT_MAP_END
    session.assert_sound()


def test_zeroed_pages_are_zero(session: Session) -> None:
    """All of them, after all of memory was written to."""
    for frame in drained(session):
        session.guest.ram.write(frame, b"\xa5" * PAGE)
        pmm(session, f"free {frame:#x} 1")
    for _ in range(10):
        first = pmm(session, "alloc 9 zero")
        assert session.guest.ram.read(first, 9 * PAGE) == bytes(9 * PAGE)
    session.assert_sound()


@both_layouts
def test_zeroed_pages_that_are_not_to_be_had_are_null_and_nothing_is_written(
    session: Session,
) -> None:
    """Zeroing before asking whether there is anything would write to address 0, and beyond."""
    before = session.guest.ram.read(0, 16 * PAGE)
    assert session.error("pmm alloc 300 zero") == "memory"
    assert session.error("pmm alloc 4294967295 zero") == "memory"
    assert session.error("pmm alloc 0 zero") == "memory"
    assert session.guest.ram.read(0, 16 * PAGE) == before
    session.assert_sound()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("free {first:#x} 3", "frame {behind:#x} freed twice"),
        ("free {first:#x} 0", "frame {frame:#x} freed as a run of no frames"),
        ("free 0 1", "frame 0x0 freed, which is reserved"),
        ("free 0x100000 1", "frame 0x100 freed, which is reserved"),
    ],
)
@both_layouts
def test_a_wrong_free_panics(session: Session, wrong: str, said: str) -> None:
    first = pmm(session, "alloc 2")
    words = {"first": first, "frame": first // PAGE, "behind": first // PAGE + 2}
    ending = session.panic("pmm " + wrong.format(**words))
    assert ending.kind is EndingKind.PANIC
    assert ending.message == "pmm: " + said.format(**words)
    assert "pmm_free" in [frame.function for frame in ending.backtrace]


@pytest.mark.parametrize("physical", [0x38000000, 0x38000FFF, 0xFFFFF000, 0x100001])
@both_layouts
def test_what_is_no_page_of_the_direct_map_panics(session: Session, physical: int) -> None:
    pointer = (session.layout.base + physical) % (1 << 32)
    ending = session.panic(f"pmm free {physical:#x} 1")
    assert ending.message == f"pmm: {pointer:#010x} freed, which is no page of the direct map"
