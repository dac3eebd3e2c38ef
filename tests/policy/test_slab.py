"""Slab caches must give the objects that their policy says, and no others."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from harness.check.inspect import Inspection
from harness.decode.belief.slabs import Cache
from harness.decode.state import MemoryState
from harness.image.kernel_image import KernelImage
from harness.machine.guest import Guest
from harness.machine.pool import Pool
from harness.policy.policies import frame_policy
from harness.policy.slab import SlabPolicy
from harness.workload.operation import Kind, operation, operations
from harness.workload.tape import Tape, tape_module
from tests.kernel.layouts import layout_of
from tests.kernel.session import PAGE, booted
from tests.workload.machine import WHICH, Block, TapeMachine, Workbench, run


class Frames:
    """As many frames as are asked for, from physical 1 MiB up; those given back come first."""

    def __init__(self, count: int) -> None:
        self.free_frames = [(256 + i) * PAGE for i in reversed(range(count))]

    def alloc(self, flags: int, pages: int) -> int:
        return self.free_frames.pop() if self.free_frames else 0

    def free(self, address: int, pages: int) -> None:
        self.free_frames.append(address)


def policy(capacity: int, frames: int, grows: bool = True) -> tuple[SlabPolicy, Frames]:
    """Return the policy of a cache with objects of 512 bytes and no slab."""
    there = Frames(frames)
    shape = {"size": 512, "pitch": 512, "first": 0, "bufctl": 0, "capacity": capacity}
    cache = Cache("test", 0, header=range(4008, 4096), slabs=(), grows=grows, **shape)
    return SlabPolicy(cache, there, base=0), there


def test_a_new_slab_gives_its_objects_in_order() -> None:
    cache, _ = policy(capacity=3, frames=2)
    start = 256 * PAGE
    assert [cache.alloc() for _ in range(4)] == [start, start + 512, start + 1024, start + PAGE]


def test_the_object_freed_last_is_given_first() -> None:
    cache, _ = policy(capacity=3, frames=1)
    objects = [cache.alloc() for _ in range(3)]
    cache.free(objects[2])
    cache.free(objects[0])
    assert [cache.alloc(), cache.alloc()] == [objects[0], objects[2]]


def test_a_partial_slab_goes_before_an_empty_one() -> None:
    cache, _ = policy(capacity=2, frames=2)
    first, _, other, last = (cache.alloc() for _ in range(4))
    cache.free(other)
    cache.free(last)
    cache.free(first)
    assert cache.alloc() == first


def test_one_empty_slab_is_kept_and_a_second_one_is_given_back() -> None:
    cache, frames = policy(capacity=1, frames=2)
    one, two = cache.alloc(), cache.alloc()
    cache.free(one)
    assert frames.free_frames == []
    cache.free(two)
    assert frames.free_frames == [two]
    assert cache.reap() == 1
    assert frames.free_frames == [two, one]


def test_a_cache_that_does_not_grow_by_itself() -> None:
    cache, frames = policy(capacity=1, frames=3, grows=False)
    assert cache.alloc() == 0
    assert [cache.grow() for _ in range(4)] == [True, True, True, False]
    objects = [cache.alloc() for _ in range(4)]
    assert objects == [258 * PAGE, 257 * PAGE, 256 * PAGE, 0]
    for address in objects[:3]:
        cache.free(address)
    assert (len(frames.free_frames), cache.reap()) == (0, 3)


CACHES = (
    ("plain", "7", 7),
    ("aligned", "40 align 64", 40),
    ("built", "100 ctor", 100),
    ("guarded", "24 debug", 24),
    ("fixed", "512 nogrow", 512),
    ("single", "300 align 2048", 300),
)
"""Name, the console's words behind it, and the size in bytes of an object."""
FIXED = 4
"""The one that grows only if asked to."""


@dataclass(frozen=True)
class CacheBench(Workbench):
    """A bench whose guests have the caches above, behind those of the boot."""

    def boot(self) -> Guest:
        guest = super().boot()
        for name, words, _ in CACHES:
            guest.monitor.require(f"slab create {name} {words}")
        return guest

    @cached_property
    def first(self) -> int:
        """The number of the first of them in the list of caches."""
        return len(self.state.caches[0].caches) - len(CACHES)


class SlabMachine(TapeMachine):
    """Random lives of objects of all caches, which share the frames."""

    bench: CacheBench
    numbers = st.integers(0, len(CACHES) - 1)

    def __init__(self, bench: CacheBench) -> None:
        super().__init__(bench)
        frames = frame_policy(bench.state)
        assert frames is not None
        self.frames = frames
        self.numbers_of: dict[int, int] = {}
        base = layout_of(bench.kernel).base
        self.caches = [
            SlabPolicy(cache, frames, base) for cache in bench.state.caches[0].caches[bench.first :]
        ]

    @rule(number=numbers, times=st.integers(1, 12))
    def alloc(self, number: int, times: int) -> None:
        for _ in range(times):
            size, cache = CACHES[number][2], self.bench.first + number
            value = self.caches[number].alloc()
            block = self.allocate(Kind.SLAB_ALLOC, value, size, cache=cache)
            self.numbers_of[block.slot] = number

    @rule(which=WHICH)
    def free(self, which: int) -> None:
        self.free_some(which)

    @precondition(lambda self: len(self.live) > 6)
    @rule()
    def free_many(self) -> None:
        for block in list(self.live.values())[::2]:
            self.give_back(block)

    @rule(number=numbers)
    def grow(self, number: int) -> None:
        self.about(Kind.SLAB_GROW, number, int(self.caches[number].grow()))

    @rule(number=numbers)
    def reap(self, number: int) -> None:
        self.about(Kind.SLAB_REAP, number, self.caches[number].reap())

    def about(self, kind: Kind, number: int, value: int) -> None:
        self.noted.append(operation(kind, 0, cache=self.bench.first + number))
        self.expected.append(value)

    def give_back(self, block: Block) -> None:
        number = self.numbers_of[block.slot]
        self.caches[number].free(block.value)
        self.release(Kind.SLAB_FREE, block, self.bench.first + number)

    def finish(self, before: Inspection, after: Inspection) -> None:
        assert all(cache.live_count == 0 for cache in made(after.state, self.bench.first))


def made(state: MemoryState, first: int) -> tuple[Cache, ...]:
    return state.caches[0].caches[first:]


@pytest.mark.parametrize("frames", ["buddy", "bitmap"])
def test_random_lives_of_objects(kernel: KernelImage, pool: Pool, frames: str) -> None:
    bench = CacheBench(kernel, pool, append=f"frames={frames}")
    run(lambda: SlabMachine(bench))


@pytest.mark.parametrize(("size", "words"), [(8, ""), (512, ""), (100, "debug"), (60, "ctor")])
def test_every_frame_becomes_a_slab_and_comes_back(
    kernel: KernelImage, pool: Pool, size: int, words: str
) -> None:
    """Objects until the last of 32 frames is full, as the policy says; then all of them go."""
    slots = 33 * PAGE // size
    with booted(kernel, pool, modules=(tape_module(kernel, slots, slots),)) as session:
        session.ok(f"slab create one {size} {words}")
        room = session.alloc(5)
        rest = session.exhaust()
        session.free(room, 5)
        state = session.assert_sound().state
        frames = frame_policy(state)
        assert frames is not None
        number = len(state.caches[0].caches) - 1
        one = SlabPolicy(made(state, number)[0], frames, layout_of(kernel).base)
        expected = [one.alloc() for _ in range(slots)]
        allocs = [operation(Kind.SLAB_ALLOC, slot, size, cache=number) for slot in range(slots)]
        tape = Tape(session.guest)
        assert tape.run(operations(allocs))["value"].tolist() == expected
        assert session.zone().free == 0
        full = made(session.assert_sound().state, number)[0]
        assert {slab.listed for slab in full.slabs} == {"full"}
        assert len(full.slabs) == 32
        live = [slot for slot in range(slots) if expected[slot]]
        order = sorted(live, key=lambda slot: slot * 0x9E3779B1 % (1 << 32))
        tape.run(operations(operation(Kind.SLAB_FREE, i, size, cache=number) for i in order))
        session.assert_sound()
        assert session.zone().free == 31
        assert session.ok("slab reap one").number("frames") == 1
        session.ok("slab destroy one")
        session.free_all(rest)
        session.assert_sound()
