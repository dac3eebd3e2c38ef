"""The block allocator by first fit, by its own functions."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from harness.image.kernel_image import KernelImage
from harness.machine.ending import EndingKind
from harness.machine.pool import Pool
from harness.machine.spec import MachineSpec
from harness.maps.notation import parse_compact
from tests.kernel.early import Early
from tests.kernel.session import MIB, PAGE, Session, booted

CHOSEN = "frames=bitmap"
MAP = parse_compact(
    "100000-200000 usable, 1000000-1018000 usable, 1020000-1030000 usable, "
    "38000000-38010000 usable",
    "here",
)[0]
"""The image and some hundred blocks; room for the boot's records; 16 blocks more; 16 beyond the
direct map."""
UPPER = range(0x1020000, 0x1030000, PAGE)
HIGH = 0x38000000
END = 0x38010000


@pytest.fixture
def session(kernel: KernelImage, pool: Pool) -> Iterator[Session]:
    with booted(kernel, pool, 1024 * MIB, map=MAP, append=CHOSEN) as found:
        yield found


def bitmap(session: Session, what: str) -> int:
    """Give a command that must succeed; return the physical address of the blocks."""
    return session.ok(f"bitmap {what}").number("physical")


def free(session: Session) -> int:
    return session.ok("bitmap state").number("free")


def drained(session: Session) -> list[int]:
    """Allocate until there is nothing; return the physical addresses in the order of coming."""
    found: list[int] = []
    while (answer := session.guest.monitor.command("bitmap alloc 1")).ok:
        found.append(answer.number("physical"))
    return found


def test_the_lowest_blocks_in_a_row_are_given_out(session: Session) -> None:
    blocks = drained(session)
    assert blocks == sorted(set(blocks))
    assert blocks[-16:] == list(UPPER)
    for index in (60, 3, 40, 41, 80, 81, 82):
        bitmap(session, f"free {blocks[index]:#x} 1")
    wanted = {1: 3, 2: 40, 3: 80}
    for count, index in sorted(wanted.items(), reverse=True):
        assert bitmap(session, f"alloc {count}") == blocks[index]
    assert bitmap(session, "alloc 1") == blocks[60]
    session.assert_sound()


def test_what_was_freed_lowest_comes_first_again(session: Session) -> None:
    first, second = bitmap(session, "alloc 4"), bitmap(session, "alloc 1")
    bitmap(session, f"free {first:#x} 4")
    assert bitmap(session, "alloc 3") == first
    assert bitmap(session, "alloc 1") == first + 3 * PAGE
    assert bitmap(session, "alloc 1") == second + PAGE
    session.assert_sound()


def test_first_allocations_do_not_land_on_the_boot_information(
    kernel: KernelImage, pool: Pool
) -> None:
    """It lies where first fit looks first; all that is given out is written to."""
    with booted(kernel, pool, 4 * MIB, append=CHOSEN) as session:
        placed = {
            frame
            for one in session.guest.placements
            for frame in range(one.start // PAGE, -(-(one.start + one.length) // PAGE))
        }
        blocks = [bitmap(session, "alloc 1") for _ in range(200)]
        assert min(placed) < max(blocks) // PAGE
        assert placed & {block // PAGE for block in blocks} == set()
        for block in blocks:
            session.guest.ram.write(block, b"\xa5" * PAGE)
        session.assert_sound()


def test_set_takes_the_blocks_that_are_named(session: Session) -> None:
    """Wherever they lie, also beyond the direct map."""
    for first in (UPPER.start + 3 * PAGE, HIGH):
        before = free(session)
        assert bitmap(session, f"set {first:#x} 5") == first
        assert free(session) == before - 5
        session.assert_sound()
        assert session.error(f"bitmap set {first:#x} 5") == "range"
        bitmap(session, f"unset {first:#x} 5")
        assert free(session) == before
    session.assert_sound()


@pytest.mark.parametrize(
    ("block", "count"),
    [
        (UPPER.start, 5),
        (UPPER.start + 3 * PAGE, 1),
        (UPPER.start + 8 * PAGE, 9),
        (0, 1),
        (0, 0xFFFFFFFF),
        (0x100000, 1),
        (0xB8000, 8),
        (UPPER.start, 0),
        (UPPER.start + 1, 1),
        (END - PAGE, 2),
        (END, 1),
        (0xFFFFF000, 1),
        (0xFFFFF000, 0xFFFFFFFF),
        (UPPER.start + 4 * PAGE, 0xFFFFFFFF),
    ],
)
def test_set_is_all_or_nothing(session: Session, block: int, count: int) -> None:
    """Taken in part, reserved, not RAM, beyond the end, none at all, no block's address."""
    bitmap(session, f"set {UPPER.start + 3 * PAGE:#x} 1")
    before = free(session)
    assert session.error(f"bitmap set {block:#x} {count}") == "range"
    assert free(session) == before
    session.assert_sound()


@pytest.mark.parametrize(
    ("block", "count"),
    [
        (UPPER.start, 5),
        (UPPER.start + 4 * PAGE, 2),
        (0, 1),
        (0x100000, 1),
        (0xB8000, 1),
        (UPPER.start, 0),
        (UPPER.start + 1, 1),
        (END - PAGE, 2),
        (END, 1),
        (0xFFFFF000, 0xFFFFFFFF),
        (UPPER.start, 0xFFFFFFFF),
    ],
)
def test_unset_is_all_or_nothing(session: Session, block: int, count: int) -> None:
    bitmap(session, f"set {UPPER.start:#x} 3")
    bitmap(session, f"set {UPPER.start + 4 * PAGE:#x} 1")
    before = free(session)
    assert session.error(f"bitmap unset {block:#x} {count}") == "range"
    assert free(session) == before
    session.assert_sound()


def test_zeroed_blocks_are_zero(session: Session) -> None:
    first = bitmap(session, "alloc 4")
    session.guest.ram.write(first, b"\xa5" * 4 * PAGE)
    bitmap(session, f"free {first:#x} 4")
    assert bitmap(session, "alloc 4 zero") == first
    assert session.guest.ram.read(first, 4 * PAGE) == bytes(4 * PAGE)


@pytest.fixture
def call(kernel: KernelImage, pool: Pool) -> Iterator[Callable[..., int]]:
    """Calls a function of a kernel whose memory manager is up."""
    with pool.boot(MachineSpec(kernel, 1024 * MIB, map=MAP, append=CHOSEN)) as guest:
        guest.stop_before("monitor_run")
        with guest.stub() as stub:
            yield Early(guest, stub).call


def test_0_is_the_failure_value_of_every_form(call: Callable[..., int]) -> None:
    """The forms for one block, and for several, called as the kernel's own code would."""
    block = call("bitmap_alloc_block")
    assert call("bitmap_alloc_blocks", 2) == block + PAGE
    assert call("bitmap_alloc_blocks", 0) == 0
    assert call("bitmap_alloc_blocks", 0xFFFFFFFF) == 0
    assert call("bitmap_set_block", block) & 0xFF == 0
    call("bitmap_free_block", block)
    assert call("bitmap_set_block", block) & 0xFF == 1
    assert call("bitmap_unset_block", block) & 0xFF == 1
    assert call("bitmap_unset_block", block) & 0xFF == 0
    while call("bitmap_alloc_block"):
        pass
    assert call("bitmap_alloc_blocks", 1) == 0


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("free {first:#x} 3", "frame {behind:#x} freed twice"),
        ("free {first:#x} 0", "frame {frame:#x} freed as a run of no frames"),
        ("free 0 1", "frame 0x0 freed, which is reserved"),
        ("free 0xb8000 1", "frame 0xb8 freed, which is reserved"),
        ("free 0x38010000 1", "frame 0x38010 freed, which is beyond the end of memory"),
        ("free 0x3800ffff 1", "0x3800ffff freed, which is no frame's address"),
    ],
)
def test_a_wrong_free_panics(session: Session, wrong: str, said: str) -> None:
    first = bitmap(session, "alloc 2")
    words = {"first": first, "frame": first // PAGE, "behind": first // PAGE + 2}
    ending = session.panic("bitmap " + wrong.format(**words))
    assert ending.kind is EndingKind.PANIC
    assert ending.message == "bitmap: " + said.format(**words)
    assert "bitmap_free_blocks" in [frame.function for frame in ending.backtrace]
