"""Down to the last frame and back again, whichever frame allocator is in charge."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest

from harness.image.kernel_image import KernelImage
from harness.machine.ending import EndingKind
from harness.machine.pool import Pool
from harness.workload.operation import Flag, Kind, operation, operations
from harness.workload.tape import Tape, tape_module
from tests.kernel.session import MIB, PAGE, Session, booted
from tests.kernel.test_combinations import parts

pytestmark = pytest.mark.slow

ALLOCATORS = ("buddy", "pair", "pmm", "bitmap")
SCATTER = 0x9E3779B1
"""Multiplied by it, modulo 2^32, numbers lose their order: the golden ratio, as an odd number."""
DMA_END, DIRECT_MAP_END = 16 * MIB, 896 * MIB

every_allocator = pytest.mark.parametrize("name", ALLOCATORS)


@dataclass(frozen=True)
class Counts:
    """What the console says of the frame allocator, in frames."""

    managed: int
    free: int
    largest: int


def counts(session: Session) -> Counts:
    answer = session.ok("frames")
    return Counts(*(answer.number(name) for name in ("managed", "free", "largest")))


def free_frames(session: Session) -> int:
    """Return how many frames are free by what was decoded."""
    return session.assert_sound().summary.free_bytes // PAGE


@pytest.fixture
def small(kernel: KernelImage, pool: Pool, name: str) -> Iterator[Session]:
    with booted(kernel, pool, 3 * MIB, append=f"frames={name}") as session:
        yield session


def test_every_frame_allocator_is_tried(kernel: KernelImage, pool: Pool) -> None:
    assert set(parts(kernel, pool, "frames")) == set(ALLOCATORS)


@every_allocator
def test_every_frame_can_be_had_alone_and_given_back(small: Session, name: str) -> None:
    assert small.ok("frames").values["allocator"] == name
    before = counts(small)
    assert before.free == free_frames(small) > 0
    frames = small.drain(0)
    assert len(set(frames)) == len(frames) == before.free
    assert counts(small) == Counts(before.managed, 0, 0)
    assert free_frames(small) == 0
    small.free_all((frame, 0) for frame in sorted(frames, key=lambda f: f * SCATTER % (1 << 32)))
    assert counts(small) == before
    assert free_frames(small) == before.free


@every_allocator
def test_the_largest_request_succeeds_and_one_frame_more_does_not(
    small: Session, name: str
) -> None:
    """Until nothing is left, whatever else has been given out in between."""
    before, given = counts(small), []
    while largest := counts(small).largest:
        assert small.error(f"pages {largest + 1} high") == "memory"
        given.append((small.ok(f"pages {largest} high").number("physical"), largest))
    assert counts(small).free == 0
    assert small.error("pages 1 high") == "memory"
    small.assert_sound()
    for physical, count in given:
        small.ok(f"freepages {physical:#x} {count}")
    assert counts(small) == before
    small.assert_sound()


@every_allocator
def test_a_failed_request_takes_nothing(small: Session, name: str) -> None:
    before = counts(small)
    for count in (0, before.free + 1, 0x100000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF):
        assert small.error(f"pages {count} high") == "memory"
    assert counts(small) == before
    small.assert_sound()


@every_allocator
@pytest.mark.parametrize(("flag", "end"), [(Flag.DMA, DMA_END), (0, DIRECT_MAP_END)])
def test_a_zone_that_is_empty_fails_alone(
    kernel: KernelImage, pool: Pool, name: str, flag: int, end: int
) -> None:
    """In blocks of 64 frames, on a machine with all zones: what lies beyond is still there."""
    slots = 20000
    modules = (tape_module(kernel, 2 * slots, slots),)
    with booted(kernel, pool, 1024 * MIB, append=f"frames={name}", modules=modules) as session:
        tape, before = Tape(session.guest), counts(session)
        given = _take(tape, range(slots // 2), flag)
        assert len(given)
        assert (given + 64 * PAGE <= end).all()
        assert not len(_take(tape, range(slots // 2, slots // 2 + 10), flag))
        beyond = _take(tape, range(slots // 2 + 10, slots), Flag.HIGH)
        assert len(beyond)
        assert (beyond >= DIRECT_MAP_END).any()
        assert len(np.unique(np.concatenate((given, beyond)))) == len(given) + len(beyond)
        session.assert_sound()
        freed = [operation(Kind.FRAMES_FREE, slot, 64) for slot in range(slots)]
        tape.run(operations(sorted(freed, key=lambda one: one[3] * SCATTER % (1 << 32))))
        assert counts(session) == before
        session.assert_sound()


def _take(tape: Tape, slots: range, flags: int) -> npt.NDArray[np.int64]:
    """Allocate 64 frames a slot and return the addresses of those that there were."""
    wanted = [operation(Kind.FRAMES_ALLOC, slot, 64, flags) for slot in slots]
    values = tape.run(operations(wanted))["value"].astype(np.int64)
    return values[values != 0]


WRONG_FREES = {
    "freed twice": ("alloc 3", "free {:#x} 3", "free {:#x} 3"),
    "never allocated": ("free 0x200000 0",),
    "frame 0": ("free 0 0",),
    "the kernel's image": ("free 0x100000 0",),
    "beyond memory": ("free 0x10000000 0",),
    "the last address": ("free 0xfffff000 0",),
    "no frame's address": ("free 0x200004 0",),
    "more than was given": ("alloc 0", "free {:#x} 1"),
    "no frames": ("alloc 0", "freepages {:#x} 0"),
    "more than there can be": ("alloc 0", "freepages {:#x} 0xffffffff"),
}
"""Commands, the last of which is wrong; {} is what the one before was about."""


@every_allocator
@pytest.mark.parametrize("wrong", WRONG_FREES)
def test_a_wrong_free_ends_in_a_sentence_of_the_allocator_s(
    small: Session, name: str, wrong: str
) -> None:
    *good, last = WRONG_FREES[wrong]
    physical = 0
    for command in good:
        physical = small.ok(command.format(physical)).number("physical")
    ending = small.panic(last.format(physical))
    assert ending.kind is EndingKind.PANIC
    assert ending.message.startswith(f"{name}: ")
