"""How the workloads of the library were made: each from a seed, the same on every machine.

What is run are the files. This says how they came to be, and makes longer ones of the same kind.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterable, Iterator
from random import Random

from harness.workload.operation import Kind, Operations
from harness.workload.workload import Recorder, Workload

PAGE = 4096

Size = Callable[[Random], int]


def _dice(seed: int) -> Random:
    return Random(seed)  # noqa: S311 - it is to be repeatable, not secret


def _deal(recorder: Recorder, alloc: Kind, deaths: Iterable[tuple[int, int]]) -> None:
    """Make one allocation a tick; each of (size, lifetime in ticks) dies when its time has come."""
    dying: list[tuple[int, int]] = []
    for now, (size, lifetime) in enumerate(deaths):
        while dying and dying[0][0] <= now:
            recorder.free(heapq.heappop(dying)[1])
        heapq.heappush(dying, (now + lifetime, recorder.alloc(alloc, size)))
    while dying:
        recorder.free(heapq.heappop(dying)[1])


def _steady(count: int, seed: int, alloc: Kind, size: Size, lifetime: Size) -> Operations:
    """Return ``count`` allocations of random sizes and lifetimes, and their frees."""
    random, recorder = _dice(seed), Recorder()
    _deal(recorder, alloc, ((size(random), lifetime(random)) for _ in range(count)))
    return recorder.finished()


def fixed(count: int, seed: int = 1) -> Workload:
    """Single frames, and blocks of 64 bytes, that live for up to 500 allocations."""
    random, recorder = _dice(seed), Recorder()
    live: dict[Kind, list[int]] = {Kind.FRAMES_ALLOC: [], Kind.HEAP_ALLOC: []}
    for index in range(count):
        kind = (Kind.FRAMES_ALLOC, Kind.HEAP_ALLOC)[index % 2]
        size = 1 if kind is Kind.FRAMES_ALLOC else 64
        live[kind].append(recorder.alloc(kind, size))
        if len(live[kind]) > 250:
            recorder.free(_pick(random, live[kind]))
    for slots in live.values():
        while slots:
            recorder.free(_pick(random, slots))
    description = "single frames and blocks of 64 bytes, at most 250 of each live"
    return Workload("fixed", recorder.finished(), description)


def _pick(random: Random, slots: list[int]) -> int:
    """Take a random one out."""
    index = random.randrange(len(slots))
    slots[index], slots[-1] = slots[-1], slots[index]
    return slots.pop()


def power_law(count: int, seed: int = 2) -> Workload:
    """Heap blocks whose sizes follow a power law with exponent 1.2, from 16 bytes to 64 KiB."""

    def size(random: Random) -> int:
        return min(int(16 * random.paretovariate(1.2)), 16 * PAGE)

    operations = _steady(count, seed, Kind.HEAP_ALLOC, size, lambda r: r.randint(1, 600))
    description = "heap blocks by a power law of exponent 1.2, 16 bytes to 64 KiB"
    return Workload("power-law", operations, description)


def power_law_frames(count: int, seed: int = 3) -> Workload:
    """Runs of frames whose lengths follow a power law with exponent 1.5, from 1 to 256."""

    def size(random: Random) -> int:
        return min(int(random.paretovariate(1.5)), 256)

    operations = _steady(count, seed, Kind.FRAMES_ALLOC, size, lambda r: r.randint(1, 400))
    description = "runs of frames by a power law of exponent 1.5, 1 to 256 frames"
    return Workload("power-law-frames", operations, description)


def generational(count: int, seed: int = 4) -> Workload:
    """Most blocks die young, some live long: the weak generational hypothesis as a workload."""

    def lifetime(random: Random) -> int:
        if random.random() < 0.9:
            return random.randint(1, 20)
        return random.randint(count // 4, count)

    operations = _steady(count, seed, Kind.HEAP_ALLOC, lambda r: r.randint(16, 480), lifetime)
    description = "nine of ten heap blocks die within 20 allocations, the tenth lives long"
    return Workload("generational", operations, description)


def worst_buddy(count: int) -> Workload:
    """Take single frames and free every second: no two free buddies anywhere, then ask for pairs.

    All free memory of that range is single frames, so that each pair needs a new block.
    """
    recorder = Recorder()
    frames = [recorder.alloc(Kind.FRAMES_ALLOC, 1) for _ in range(count // 2)]
    for slot in frames[::2]:
        recorder.free(slot)
    pairs = [recorder.alloc(Kind.FRAMES_ALLOC, 2) for _ in range(count // 8)]
    for slot in [*pairs, *frames[1::2]]:
        recorder.free(slot)
    description = "every second of a row of frames freed, then pairs: free buddies never meet"
    return Workload("worst-buddy", recorder.finished(), description)


def worst_bitmap(count: int) -> Workload:
    """Fill memory's start with single frames, free every second one, then ask for runs of two.

    A first fit walks over all the holes of one frame at each request; a next fit does so once:
    :func:`worst_next_fit` is the worst for that. At each request one single frame comes and goes.
    """
    recorder = Recorder()
    frames = [recorder.alloc(Kind.FRAMES_ALLOC, 1) for _ in range(count // 2)]
    for slot in frames[::2]:
        recorder.free(slot)
    for _ in range(count // 8):
        single = recorder.alloc(Kind.FRAMES_ALLOC, 1)
        run = recorder.alloc(Kind.FRAMES_ALLOC, 2)
        recorder.free(run)
        recorder.free(single)
    for slot in frames[1::2]:
        recorder.free(slot)
    description = "runs of two frames behind thousands of holes of one"
    return Workload("worst-bitmap", recorder.finished(), description)


def worst_next_fit(count: int) -> Workload:
    """Take all memory but holes of one frame, then free and take a run of two at its start.

    A next fit has just passed that run: it goes on to the end of memory, wraps, and comes to it
    over all the holes. The direct map of 896 MiB would hold all that is asked for; in less memory
    requests fail once it is full.
    """
    recorder = Recorder()
    run = recorder.alloc(Kind.FRAMES_ALLOC, 2)
    frames = [recorder.alloc(Kind.FRAMES_ALLOC, 1) for _ in range(count // 4)]
    sizes = [1024] * 224 + [32] * 96 + [2] * 48
    rest = [recorder.alloc(Kind.FRAMES_ALLOC, size) for size in sizes]
    for slot in frames[1::2]:
        recorder.free(slot)
    for _ in range(count // 2):
        recorder.free(run)
        run = recorder.alloc(Kind.FRAMES_ALLOC, 2)
    for slot in [run, *rest, *frames[::2]]:
        recorder.free(slot)
    description = "a run of two frames again and again, memory full but for it and holes of one"
    return Workload("worst-next-fit", recorder.finished(), description)


def worst_areas(count: int) -> Workload:
    """Blocks of a page, every second one freed, then blocks of two pages: a long list of areas."""
    recorder = Recorder()
    blocks = [recorder.alloc(Kind.HEAP_ALLOC, PAGE // 2) for _ in range(count // 2)]
    for slot in blocks[::2]:
        recorder.free(slot)
    for _ in range(count // 8):
        recorder.free(recorder.alloc(Kind.HEAP_ALLOC, PAGE + PAGE // 2))
    for slot in blocks[1::2]:
        recorder.free(slot)
    description = "blocks of two pages behind many holes of one, in address order"
    return Workload("worst-areas", recorder.finished(), description)


def worst_slab(count: int) -> Workload:
    """Fill slabs with small objects and free all but one of each: memory is held, not used."""
    recorder, size, kept = Recorder(), 64, PAGE // 64
    objects = [recorder.alloc(Kind.HEAP_ALLOC, size) for _ in range(count // 2)]
    for index, slot in enumerate(objects):
        if index % kept:
            recorder.free(slot)
    for slot in objects[::kept]:
        recorder.free(slot)
    description = "one live object of 64 bytes left a page, then none"
    return Workload("worst-slab", recorder.finished(), description)


def worst_subblock(count: int) -> Workload:
    """Blocks of 33 bytes fill the heap and every second goes; then blocks of 65 bytes come.

    A block of 33 bytes takes two sub-blocks of 32 and wastes nearly half; its hole is too small
    for the next size, so that all the maps are searched in vain.
    """
    recorder = Recorder()
    blocks = [recorder.alloc(Kind.HEAP_ALLOC, 33) for _ in range(count // 2)]
    for slot in blocks[::2]:
        recorder.free(slot)
    larger = [recorder.alloc(Kind.HEAP_ALLOC, 65) for _ in range(count // 8)]
    for slot in [*larger, *blocks[1::2]]:
        recorder.free(slot)
    description = "blocks of 65 bytes behind holes of 64"
    return Workload("worst-subblock", recorder.finished(), description)


_KNUTH_SIZES = (10, 12, 14, 16, 18, 20, 30, 40, 50, 60, 70, 80, 90, 100, 150, 200, 250, 500,
                1000, 2000, 3000, 4000)  # fmt: skip


def knuth(count: int, seed: int = 5) -> Workload:
    """Knuth's simulation: one of 22 sizes alike often, a lifetime uniform in 1 … T.

    The Art of Computer Programming, volume 1, section 2.5, "Dynamic storage allocation", under
    "Comparison of the methods". Words there are bytes here, and T is 1000.
    """
    operations = _steady(
        count,
        seed,
        Kind.HEAP_ALLOC,
        lambda random: random.choice(_KNUTH_SIZES),
        lambda random: random.randint(1, 1000),
    )
    return Workload(
        "knuth",
        operations,
        "22 sizes from 10 to 4000 alike often, lifetimes uniform in 1 to 1000 allocations",
        "D. E. Knuth, The Art of Computer Programming, volume 1, section 2.5: the sizes and the "
        "uniform lifetimes of its simulations; words are taken as bytes, T = 1000 is our choice",
    )


def key_value_store(count: int, seed: int = 6) -> Workload:
    """Keys and values of a key-value store by the model that a study fitted to Facebook's ETC.

    B. Atikoglu, Y. Xu, E. Frachtenberg, S. Jiang, M. Paleczny, "Workload analysis of a large-scale
    key-value store", SIGMETRICS 2012, section 5: key sizes follow a generalised extreme value
    distribution (30.7984, 8.20449, 0.078688), value sizes a generalised Pareto distribution
    (0, 214.476, 0.348238). The study gives sizes, not lifetimes: ours are exponential.
    """
    random, recorder = _dice(seed), Recorder()
    _deal(recorder, Kind.HEAP_ALLOC, _pairs(random, count // 2))
    return Workload(
        "key-value-store",
        recorder.finished(),
        "keys and values of a key-value store; lifetimes exponential with mean 400",
        "B. Atikoglu et al., Workload analysis of a large-scale key-value store, SIGMETRICS 2012: "
        "key and value sizes of its ETC model; the lifetimes are our assumption",
    )


def _pairs(random: Random, count: int) -> Iterator[tuple[int, int]]:
    for _ in range(count):
        lifetime = 1 + int(random.expovariate(1 / 400))
        yield _between(1, _extreme_value(random, 30.7984, 8.20449, 0.078688), 250), lifetime
        yield _between(1, _pareto(random, 214.476, 0.348238), 1 << 20), lifetime


def _between(low: int, value: float, high: int) -> int:
    return max(low, min(int(value), high))


def _extreme_value(random: Random, location: float, scale: float, shape: float) -> float:
    """Draw by the inverse of the generalised extreme value distribution function."""
    exponential: float = random.expovariate(1)
    return location + scale * (math.pow(exponential, -shape) - 1) / shape


def _pareto(random: Random, scale: float, shape: float) -> float:
    """Draw by the inverse of the generalised Pareto distribution function, from 0."""
    return scale * (math.pow(1 - random.random(), -shape) - 1) / shape


GENERATORS: dict[str, Callable[[int], Workload]] = {
    "fixed": fixed,
    "power-law": power_law,
    "power-law-frames": power_law_frames,
    "generational": generational,
    "worst-buddy": worst_buddy,
    "worst-bitmap": worst_bitmap,
    "worst-next-fit": worst_next_fit,
    "worst-areas": worst_areas,
    "worst-slab": worst_slab,
    "worst-subblock": worst_subblock,
    "knuth": knuth,
    "key-value-store": key_value_store,
}
"""Name → what makes a workload of that kind with about so many allocations."""
