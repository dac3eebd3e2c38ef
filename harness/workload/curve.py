"""How the cost of an operation depends on the size of memory.

Three quarters of memory are taken first, wherever the allocator takes them, so that what is
measured then lies behind all that: a design that searches has to search through it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from harness.check.runs import FRAME_SIZE
from harness.machine.errors import GuestEnded
from harness.machine.pool import Pool
from harness.machine.spec import MachineSpec
from harness.workload.operation import Flag, Kind, operation, operations
from harness.workload.tape import Tape, TapeError
from harness.workload.trial import Cost, costs, with_tape

SIZES = tuple(size << 20 for size in (16, 64, 256, 1024, 4096))
GROWS = 4.0
"""A cost is said to grow when the largest memory's is so many times the smallest one's.

From 16 MiB to 4 GiB memory grows 256 times: a cost that grows with it, or with its square root
only, is far above this. A step is not: beyond the direct map frames are reached in another way.
"""

_RUN = 256  # frames: 1 MiB
_BATCH = 512
"""Operations of each kind that are measured."""
_HEAP_BYTES = 64


@dataclass(frozen=True)
class Point:
    """What operations cost in so much memory."""

    memory: int
    costs: dict[Kind, Cost]


def growth(points: Sequence[Point], kind: Kind) -> float:
    """Return how many times its worst in the smallest memory an operation takes in the largest."""
    known = sorted((point for point in points if kind in point.costs), key=lambda p: p.memory)
    if not known:
        return 0.0
    return known[-1].costs[kind].worst / max(known[0].costs[kind].worst, 1)


def measured_kinds(points: Sequence[Point]) -> list[Kind]:
    """Return the kinds of operations that some of the points tell of."""
    return [kind for kind in Kind if any(kind in point.costs for point in points)]


def measure_point(spec: MachineSpec, pool: Pool) -> Point:
    """Fill a machine's memory, then measure single frames and small blocks of the heap.

    Raise :class:`GuestEnded` when the guest does not live to the end of it, and
    :class:`TapeError` when its CPU has no time stamp counter.
    """
    frames = _measure(spec, pool, Flag.HIGH, (Kind.FRAMES_ALLOC, Kind.FRAMES_FREE), 1)
    blocks = _measure(spec, pool, Flag.NORMAL, (Kind.HEAP_ALLOC, Kind.HEAP_FREE), _HEAP_BYTES)
    return Point(spec.memory, frames | blocks)


def _measure(
    spec: MachineSpec, pool: Pool, where: Flag, kinds: tuple[Kind, Kind], size: int
) -> dict[Kind, Cost]:
    runs = spec.memory // (_RUN * FRAME_SIZE) * 3 // 4
    machine = with_tape(spec, operations=max(runs, 2 * _BATCH), slots=runs + _BATCH)
    with pool.boot(machine) as guest:
        ending = guest.run_until_ready()
        if not ending.alive:
            raise GuestEnded(ending)
        tape = Tape(guest)
        _fill(tape, runs, where)
        measured = operations(_batch(kinds, runs, size, where))
        results = tape.run(measured)
        if not tape.has_clock:
            raise TapeError(f"CPU {spec.cpu} has no time stamp counter: nothing can be measured")
        return costs(measured, results)


def _fill(tape: Tape, runs: int, where: Flag) -> None:
    """Take memory; when it ends before, give the last quarter back: it lies behind the rest."""
    taken = tape.run(
        operations(operation(Kind.FRAMES_ALLOC, slot, _RUN, where) for slot in range(runs))
    )
    given = np.flatnonzero(taken["value"]).tolist()
    if len(given) < runs:
        last = given[len(given) * 3 // 4 :]
        tape.run(operations(operation(Kind.FRAMES_FREE, slot, _RUN) for slot in last))


def _batch(
    kinds: tuple[Kind, Kind], first: int, size: int, where: Flag
) -> Iterator[tuple[int, int, int, int, int]]:
    alloc, free = kinds
    flags = where if alloc is Kind.FRAMES_ALLOC else 0
    for index in range(_BATCH):
        yield operation(alloc, first + index, size, flags)
    for index in range(_BATCH):
        yield operation(free, first + index, size)
