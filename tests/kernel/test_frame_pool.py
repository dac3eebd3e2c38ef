"""What the two allocators over a bitmap promise, whichever run of frames they choose."""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np
import pytest

from harness.image.kernel_image import KernelImage
from harness.machine.ending import EndingKind
from harness.machine.pool import Pool
from harness.machine.spec import MachineSpec
from harness.maps.memory_map import MemoryMap
from harness.maps.notation import parse_compact
from harness.workload.operation import Flag, Kind, operation, operations
from harness.workload.tape import Tape, tape_module
from tests.kernel.session import MIB, PAGE, Session, booted

DMA_END = 16 * MIB
DIRECT_MAP_END = 896 * MIB
SMALL, MEDIUM = 4 * MIB, 32 * MIB
ALLOCATORS = ("pmm", "bitmap")
TINY = "100000-1e0000 usable"
"""The image and some hundred frames."""
HOLES = "100000-1e0000 usable, 2fe000-300000 usable, 303000-307000 usable, 308000-30a000 usable"
"""Behind the hole at 3 MiB four frames, and two behind the next."""


@pytest.fixture(params=ALLOCATORS)
def allocator(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def medium(kernel: KernelImage, pool: Pool, allocator: str) -> Iterator[Session]:
    """A machine with two zones."""
    with booted(kernel, pool, MEDIUM, append=f"frames={allocator}") as session:
        yield session


def parsed(text: str) -> MemoryMap:
    return parse_compact(text, "here")[0]


def free(session: Session) -> int:
    """Return the number of free frames that the kernel tells."""
    return session.ok("frames").number("free")


def pages(session: Session, count: int, *flags: str) -> int:
    """Allocate frames in a row; return their physical address."""
    return session.ok(" ".join(["pages", str(count), *flags])).number("physical")


def free_in_bitmap(session: Session) -> set[int]:
    """Return the frames whose bits say free."""
    bitmaps = session.inspect().state.bitmaps
    (one,) = (bitmap for bitmap in bitmaps if bitmap.chosen and not bitmap.gone)
    return set(np.flatnonzero(~one.taken).tolist())


def usable(session: Session) -> set[int]:
    """Return the frames that the map says are RAM."""
    return {frame for run in session.guest.memory_map.usable_frames() for frame in run}


def runs_of(tape: Tape, sizes: list[int], flags: int = Flag.HIGH) -> dict[int, int]:
    """Allocate, by tape, as many frames in a row as each of ``sizes`` says.

    Return physical address → size of those that were to be had. Each has its slot's pattern.
    """
    asked = [
        operation(Kind.FRAMES_ALLOC, slot, size, flags | Flag.FILL)
        for slot, size in enumerate(sizes)
    ]
    values = tape.run(operations(asked))["value"].tolist()
    return {value: size for value, size in zip(values, sizes, strict=True) if value}


def free_runs(tape: Tape, sizes: list[int], seed: int) -> None:
    """Free what :func:`runs_of` allocated, in random order; each must hold its pattern still."""
    slots = sorted(tape.live())
    random.Random(seed).shuffle(slots)
    freed = [operation(Kind.FRAMES_FREE, slot, sizes[slot], Flag.CHECK) for slot in slots]
    results = tape.run(operations(freed))
    assert not results["wrong"].any()


@pytest.mark.parametrize("count", [1, 2, 3, 31, 32, 33, 64, 65, 200])
def test_so_many_frames_are_taken_and_come_back(medium: Session, count: int) -> None:
    """Not rounded up, and none beside them."""
    before = free_in_bitmap(medium)
    first = pages(medium, count) // PAGE
    taken = set(range(first, first + count))
    assert before - free_in_bitmap(medium) == taken
    medium.assert_sound()
    medium.ok(f"freepages {first * PAGE:#x} {count}")
    assert free_in_bitmap(medium) == before
    medium.assert_sound()


@pytest.mark.parametrize("count", [0, 8192, 0x100000, 0xFFFFFFF0, 0xFFFFFFFF])
def test_a_senseless_number_of_frames_is_refused(medium: Session, count: int) -> None:
    """A count of 0 does not underflow to a run without an end."""
    before = free_in_bitmap(medium)
    assert medium.error(f"pages {count} high") == "memory"
    assert free_in_bitmap(medium) == before
    medium.assert_sound()


def test_a_run_is_free_in_all_its_frames_not_only_in_the_first(
    kernel: KernelImage, pool: Pool, allocator: str
) -> None:
    """Every second frame is free: a search that tests only a run's first bit overlaps."""
    memory_map = parsed(TINY)
    with booted(kernel, pool, SMALL, map=memory_map, append=f"frames={allocator}") as session:
        frames = session.drain(0)
        for frame in frames[::2]:
            session.free(frame, 0)
        assert session.error("pages 2") == "memory"
        lone = {frame for frame in frames[::2] if frame - PAGE in frames[1::2]}
        session.free(min(lone) + PAGE, 0)
        assert pages(session, 3) == min(lone)
        session.assert_sound()


def test_counters_count_frames_and_not_bytes(medium: Session) -> None:
    before = medium.ok("frames")
    first = pages(medium, 5)
    after = medium.ok("frames")
    assert after.number("free") == before.number("free") - 5
    assert after.number("managed") == before.number("managed")
    medium.ok(f"freepages {first:#x} 5")
    assert medium.ok("frames").values == before.values


def test_a_region_is_from_its_base_on_and_not_from_zero(
    kernel: KernelImage, pool: Pool, allocator: str
) -> None:
    """[0, length) in place of [base, base + length) loses all of the upper region."""
    memory_map = parsed("0-9f000 usable, 100000-400000 usable, 1000000-2000000 usable")
    with booted(kernel, pool, MEDIUM, map=memory_map, append=f"frames={allocator}") as session:
        session.assert_sound()
        assert set(range(0x1800, 0x2000)) < free_in_bitmap(session)
        assert free_in_bitmap(session) & set(range(0x400, 0x1000)) == set()


def test_no_run_reaches_over_the_end_of_memory(medium: Session) -> None:
    """Nor into a hole: what is left at the end is too short, although more bits follow it."""
    largest = medium.ok("frames").number("largest")
    first = pages(medium, largest)
    assert first + largest * PAGE == MEDIUM
    medium.ok(f"freepages {MEDIUM - 3 * PAGE:#x} 3")
    assert pages(medium, 3) != MEDIUM - 2 * PAGE
    medium.assert_sound()


def test_no_run_reaches_over_a_hole(kernel: KernelImage, pool: Pool, allocator: str) -> None:
    text = f"frames={allocator}"
    with booted(kernel, pool, SMALL, map=parsed(HOLES), append=text) as session:
        while (answer := session.guest.monitor.command("pages 7")).ok:
            assert answer.number("physical") + 7 * PAGE <= 3 * MIB
        for size in (4, 2):
            there = free_in_bitmap(session)
            first = pages(session, size) // PAGE
            assert set(range(first, first + size)) <= there & usable(session)
        session.assert_sound()


def test_the_last_frames_of_a_machine_of_an_odd_size(
    kernel: KernelImage, pool: Pool, allocator: str
) -> None:
    """The last word of the bitmap has bits behind the last frame: they are nobody's."""
    memory_map = parsed("100000-1f1000 usable")
    with booted(kernel, pool, SMALL, map=memory_map, append=f"frames={allocator}") as session:
        assert session.ok(f"{allocator} state").number("frames") == 0x1F1
        frames = session.drain(0)
        assert max(frames) == 0x1F0000
        session.assert_sound()
        ending = session.panic("free 0x1f1000 0")
        assert ending.message == (
            f"{allocator}: frame 0x1f1 freed, which is beyond the end of memory"
        )


@pytest.mark.parametrize("early", ["bootmem", "memblock"])
def test_what_must_survive_is_never_given_out(
    kernel: KernelImage, pool: Pool, allocator: str, early: str
) -> None:
    """Image with .bss and stack, boot information, video memory, ROM, records: all is written to.

    Whatever had been given out of these would hold a pattern now, and the machine would be gone.
    """
    more = {"append": f"frames={allocator} early={early}", "modules": (tape_module(kernel),)}
    with booted(kernel, pool, SMALL, **more) as session:
        before = free_in_bitmap(session)
        image = session.guest.kernel.image_range()
        assert before & set(range(image.start // PAGE, -(-image.stop // PAGE))) == set()
        assert before <= usable(session) - {0}
        given = runs_of(Tape(session.guest), [1] * 1024)
        assert {address // PAGE for address in given} == before
        session.assert_sound()


def test_what_ends_at_or_beyond_4_gib_frees_neither_video_memory_nor_rom(
    kernel: KernelImage, pool: Pool, allocator: str
) -> None:
    """Cut to 32 bits, the last region's end is below its start, and all below it looks free."""
    memory_map = parsed(
        "0-9f000 usable, 9f000-100000 reserved, 100000-2000000 usable, "
        "c0000000-100000000 reserved, 100000000-140000000 usable"
    )
    with booted(kernel, pool, MEDIUM, map=memory_map, append=f"frames={allocator}") as session:
        assert free_in_bitmap(session) & set(range(0x9F, 0x100)) == set()
        assert max(free_in_bitmap(session)) == 0x1FFF
        session.assert_sound()


@pytest.mark.parametrize("memory", [SMALL, 17 * MIB])
def test_every_frame_can_be_had_alone_and_given_back(
    kernel: KernelImage, pool: Pool, allocator: str, memory: int
) -> None:
    more = {"append": f"frames={allocator}", "modules": (tape_module(kernel),)}
    with booted(kernel, pool, memory, **more) as session:
        before, there = session.ok("frames"), free_in_bitmap(session)
        tape, sizes = Tape(session.guest), [1] * (memory // PAGE)
        given = runs_of(tape, sizes)
        assert {address // PAGE for address in given} == there
        assert free(session) == 0
        assert session.ok("frames").number("largest") == 0
        session.assert_sound()
        free_runs(tape, sizes, seed=1)
        assert session.ok("frames").values == before.values
        assert free_in_bitmap(session) == there
        session.assert_sound()


def test_all_memory_can_be_had_in_runs_and_given_back(
    kernel: KernelImage, pool: Pool, allocator: str
) -> None:
    """All three zones, in runs of lengths that fit into no word, and then in single frames."""
    more = {"append": f"frames={allocator}", "modules": (tape_module(kernel, slots=1 << 17),)}
    with booted(kernel, pool, 898 * MIB, **more) as session:
        before = session.ok("frames")
        sizes = [1000 + 37 * (step % 5) for step in range(300)] + [7] * 2000 + [1] * 2000
        tape = Tape(session.guest)
        asked = [operation(Kind.FRAMES_ALLOC, *one, Flag.HIGH) for one in enumerate(sizes)]
        results = tape.run(operations(asked))
        given = {v: size for v, size in zip(results["value"].tolist(), sizes, strict=True) if v}
        assert sum(given.values()) == before.number("free")
        assert max(address + size * PAGE for address, size in given.items()) == 898 * MIB
        session.assert_sound()
        free_all = [operation(Kind.FRAMES_FREE, slot, sizes[slot]) for slot in tape.live()]
        tape.run(operations(free_all))
        assert session.ok("frames").values == before.values
        session.assert_sound()


@pytest.mark.parametrize(
    ("flags", "low", "end"),
    [
        (("dma",), 0, DMA_END),
        (("normal",), 0, DIRECT_MAP_END),
        ((), 0, DIRECT_MAP_END),
        (("dma", "high"), 0, DMA_END),
        (("normal", "high"), 0, DIRECT_MAP_END),
        (("high",), 0, 1024 * MIB),
    ],
)
def test_a_wish_is_a_limit_of_the_search(
    kernel: KernelImage, pool: Pool, allocator: str, flags: tuple[str, ...], low: int, end: int
) -> None:
    """The last frames below the limit can be had, and none above it."""
    memory_map = parsed(f"{TINY}, ff0000-1010000 usable, 37ff0000-38010000 usable")
    with booted(kernel, pool, 1024 * MIB, map=memory_map, append=f"frames={allocator}") as session:
        given = session.drain(0, *flags)
        there = {frame * PAGE for frame in usable(session) if low <= frame * PAGE < end}
        assert max(given) == max(there)
        assert set(given) <= there
        session.assert_sound()


@pytest.mark.parametrize("zone", ["dma", "high"])
def test_zeroed_frames_are_zero(kernel: KernelImage, pool: Pool, allocator: str, zone: str) -> None:
    """Each frame of each run, after all of memory was written to."""
    memory_map = parsed(f"{TINY}, 38000000-38010000 usable")
    with booted(kernel, pool, 1024 * MIB, map=memory_map, append=f"frames={allocator}") as session:
        ram, dirty = session.guest.ram, threes(session, zone)
        assert (max(dirty) >= DIRECT_MAP_END) == (zone == "high")
        for first in dirty:
            ram.write(first, b"\xa5" * 3 * PAGE)
            session.ok(f"freepages {first:#x} 3")
        zeroed = threes(session, zone, "zero")
        assert sorted(zeroed) == sorted(dirty)
        assert all(ram.read(first, 3 * PAGE) == bytes(3 * PAGE) for first in zeroed)


def threes(session: Session, *flags: str) -> list[int]:
    """Allocate runs of three frames until there are none; return their physical addresses."""
    found: list[int] = []
    command = " ".join(["pages 3", *flags])
    while (answer := session.guest.monitor.command(command)).ok:
        found.append(answer.number("physical"))
    return found


def test_any_part_of_a_run_can_be_freed(medium: Session) -> None:
    before = free_in_bitmap(medium)
    first = pages(medium, 10)
    for part, size in ((2, 3), (9, 1), (0, 2), (5, 4)):
        medium.ok(f"freepages {first + part * PAGE:#x} {size}")
        medium.assert_sound()
    assert free_in_bitmap(medium) == before


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("freepages {first} 5", "frame {culprit} freed twice"),
        ("freepages {culprit} 1", "frame {culprit} freed twice"),
        ("freepages {first} 0", "frame {frame} freed as a run of no frames"),
        ("freepages 0 1", "frame 0x0 freed, which is reserved"),
        ("freepages 0 4294967295", "frame 0x0 freed, which is reserved"),
        ("freepages 0x100000 1", "frame 0x100 freed, which is reserved"),
        ("freepages 0xb8000 8", "frame 0xb8 freed, which is reserved"),
        ("freepages 0xf0000 1", "frame 0xf0 freed, which is reserved"),
        ("freepages 0x1fff000 1", "frame 0x1fff freed twice"),
        ("freepages 0x2000000 1", "frame 0x2000 freed, which is beyond the end of memory"),
        ("freepages 0xfffff000 2", "frame 0xfffff freed, which is beyond the end of memory"),
        ("freepages {odd} 1", "{odd8} freed, which is no frame's address"),
    ],
)
def test_a_wrong_free_panics_with_the_frame(
    medium: Session, allocator: str, wrong: str, said: str
) -> None:
    """Of a run the first frame that is wrong, though what is in front of it may be freed."""
    first = pages(medium, 5)
    culprit = first + 3 * PAGE
    medium.ok(f"freepages {culprit:#x} 1")
    words = {
        "first": hex(first), "frame": hex(first // PAGE), "odd": hex(first + 1),
        "odd8": f"{first + 1:#010x}",
        "culprit": hex(culprit if "freepages {culprit}" in wrong else culprit // PAGE),
    }  # fmt: skip
    ending = medium.panic(wrong.format(**words))
    assert ending.kind is EndingKind.PANIC
    words["culprit"] = hex(culprit // PAGE)
    assert ending.message == f"{allocator}: {said.format(**words)}"
    assert "free_pages" in [frame.function for frame in ending.backtrace]


def test_its_own_records_cannot_be_freed(medium: Session, allocator: str) -> None:
    name = {"pmm": "pmm bitmaps", "bitmap": "block bitmaps"}[allocator]
    metadata = {one.name: one for one in medium.inspect().state.metadata}
    frame = metadata[name].storage[0].start // PAGE
    ending = medium.panic(f"freepages {frame * PAGE:#x} 1")
    assert ending.message == f"{allocator}: frame {frame:#x} freed, which is reserved"


def test_freeing_block_0_is_caught_and_cannot_break_the_allocator(
    medium: Session, allocator: str
) -> None:
    """Were block 0 free, its address would be given out: that is failure, for good."""
    assert 0 not in free_in_bitmap(medium)
    ending = medium.panic("free 0 0")
    assert ending.message == f"{allocator}: frame 0x0 freed, which is reserved"


@pytest.mark.parametrize("command", ["pmm", "bitmap"])
def test_a_command_answers_only_for_the_allocator_in_charge(
    kernel: KernelImage, pool: Pool, command: str
) -> None:
    other = {"pmm": "bitmap", "bitmap": "pmm"}[command]
    for append in ("", f"frames={other}"):
        with booted(kernel, pool, SMALL, append=append) as session:
            assert session.error(f"{command} state") == "state"
            assert session.error(f"{command} alloc 1") == "state"
            session.assert_sound()


def test_a_machine_without_room_for_the_bitmaps_is_refused(
    kernel: KernelImage, pool: Pool, allocator: str
) -> None:
    """Of 1 GiB, only single frames are in the direct map: the bitmaps need 16 in a row."""
    islands = ", ".join(f"{at:x}-{at + 8 * PAGE:x} usable" for at in range(MIB, 3 * MIB, 9 * PAGE))
    memory_map = parsed(f"{islands}, 38000000-40000000 usable")
    spec = MachineSpec(
        kernel, 1024 * MIB, map=memory_map, append=f"frames={allocator} early=memblock"
    )
    with pool.boot(spec) as guest:
        ending = guest.run_until_ready()
    assert ending.kind is EndingKind.REFUSED, str(ending)
    assert "no room for the bitmaps of frames: 64 free KiB in a row" in str(ending)
