"""One workload on one machine: what each operation cost, and what became of memory meanwhile."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from harness.check.inspect import Inspection, inspect_guest
from harness.check.runs import FRAME_SIZE
from harness.check.violation import Violation
from harness.machine.ending import Ending
from harness.machine.pool import Pool
from harness.machine.spec import MachineSpec
from harness.workload.footprint import Footprint, footprint, shares_given
from harness.workload.operation import ALLOCATES, RESULT, Kind, Operations, Results
from harness.workload.tape import OPERATIONS, Tape, TapeEnded, tape_module
from harness.workload.workload import Workload

SAMPLES = 32
"""Memory is looked at so often on the way."""


@dataclass(frozen=True)
class Cost:
    """Guest instructions of one kind of operation."""

    count: int
    median: float
    p99: float
    worst: int


@dataclass(frozen=True)
class Sample:
    """Memory after ``done`` operations."""

    done: int
    asked: int
    """Bytes that live blocks were asked for with; what was not given does not count."""
    memory: Footprint
    shares: npt.NDArray[np.float32] = field(repr=False)
    """See :func:`harness.workload.footprint.shares_given`."""


@dataclass(frozen=True)
class Trial:
    """A workload's course on a machine."""

    spec: MachineSpec
    workload: Workload
    costs: dict[Kind, Cost]
    """Empty on a CPU without a time stamp counter."""
    failures: int
    """Allocations that were answered with nothing."""
    samples: tuple[Sample, ...]
    """The first before the first operation, the last behind the last."""
    violations: tuple[Violation, ...] = ()
    ended: str | None = None
    """Why the guest ended on the way, in words."""

    @property
    def good(self) -> bool:
        """Whether nothing was wrong at any time."""
        return not self.violations and self.ended is None


def with_tape(spec: MachineSpec, operations: int, slots: int) -> MachineSpec:
    """Return the machine with a tape for so many operations, counting instructions.

    A long tape is fed in pieces: it takes memory from the machine that is measured.
    """
    module = tape_module(spec.kernel, operations=min(operations, OPERATIONS), slots=slots)
    return replace(spec, modules=(*spec.modules, module), icount=True)


def run_trial(spec: MachineSpec, workload: Workload, pool: Pool, samples: int = SAMPLES) -> Trial:
    """Boot ``spec`` and give it the workload; decode and check its memory on the way.

    Raise :class:`harness.machine.errors.MachineError` for a machine that cannot be started.
    """
    pieces = _pieces(len(workload.operations), samples)
    longest = max((end - start for start, end in pieces), default=1)
    with pool.boot(with_tape(spec, longest, max(1, workload.slots))) as guest:
        ending = guest.run_until_ready()
        if not ending.alive:
            return _ended_early(spec, workload, ending)
        course = _Course(workload, lambda: inspect_guest(guest), guest.pause, guest.resume)
        tape = Tape(guest)
        course.look(0)
        for start, end in pieces:
            try:
                course.note(tape.run(workload.operations[start:end]), tape.has_clock)
            except TapeEnded as error:
                course.note(error.results, tape.has_clock)
                return course.trial(spec, str(error))
            course.look(end)
        return course.trial(spec, None)


def _pieces(count: int, samples: int) -> list[tuple[int, int]]:
    edges = np.linspace(0, count, samples + 1).astype(np.int64).tolist()
    return [(start, end) for start, end in itertools.pairwise(edges) if end > start]


def _ended_early(spec: MachineSpec, workload: Workload, ending: Ending) -> Trial:
    return Trial(spec, workload, {}, 0, (), ended=f"no workload was begun: {ending}")


class _Course:
    """Gathers what happens while a workload runs."""

    def __init__(
        self,
        workload: Workload,
        inspect: Callable[[], Inspection],
        pause: Callable[[], object],
        resume: Callable[[], object],
    ) -> None:
        self._workload = workload
        self._inspect, self._pause, self._resume = inspect, pause, resume
        self._results: Results = np.empty(0, dtype=RESULT)
        self._timed = True
        self._samples: list[Sample] = []
        self._violations: dict[Violation, None] = {}

    def look(self, done: int) -> None:
        """Decode and check memory after ``done`` operations."""
        self._pause()
        inspection = self._inspect()
        self._resume()
        self._violations |= dict.fromkeys(inspection.violations)
        asked = asked_bytes(self._workload.operations[:done], self._results)
        memory, shares = footprint(inspection), shares_given(inspection)
        self._samples.append(Sample(done, asked, memory, shares))

    def note(self, results: Results, timed: bool) -> None:
        """Keep the results of the next operations; ``timed`` when their ticks mean something."""
        self._results = np.concatenate((self._results, results))
        self._timed &= timed

    def trial(self, spec: MachineSpec, ended: str | None) -> Trial:
        """Return all that was gathered."""
        results = self._results
        done = self._workload.operations[: len(results)]
        return Trial(
            spec=spec,
            workload=self._workload,
            costs=costs(done, results) if self._timed else {},
            failures=int(np.count_nonzero(allocates(done) & (results["value"] == 0))),
            samples=tuple(self._samples),
            violations=tuple(self._violations),
            ended=ended,
        )


def allocates(operations: Operations) -> npt.NDArray[np.bool_]:
    """Tell for each operation whether it is an allocation."""
    mask: npt.NDArray[np.bool_] = np.isin(operations["kind"], [int(kind) for kind in ALLOCATES])
    return mask


def moves_memory(operations: Operations, results: Results) -> npt.NDArray[np.bool_]:
    """Tell which operations gave or took back a block.

    A failed allocation gives none, and the free of what it did not give does nothing.
    """
    order = np.argsort(operations["slot"], kind="stable")
    slots, gives = operations["slot"][order], allocates(operations)[order]
    gave = gives & (results["value"][order] != 0)
    moves = gave.copy()
    moves[1:] |= ~gives[1:] & gave[:-1] & (slots[1:] == slots[:-1])
    found = np.zeros(len(operations), dtype=np.bool_)
    found[order] = moves
    return found


def asked_bytes(operations: Operations, results: Results) -> int:
    """Return how many bytes were asked for and given, and not given back, at the end."""
    frames = np.isin(operations["kind"], [int(Kind.FRAMES_ALLOC), int(Kind.FRAMES_FREE)])
    sizes = operations["size"].astype(np.int64) * np.where(frames, FRAME_SIZE, 1)
    signed = np.where(allocates(operations), sizes, -sizes)
    return int(signed[moves_memory(operations, results)].sum())


def costs(operations: Operations, results: Results) -> dict[Kind, Cost]:
    """Return what each kind of operation cost; the free of nothing is none."""
    found: dict[Kind, Cost] = {}
    done = allocates(operations) | moves_memory(operations, results)
    for kind in Kind:
        ticks = results["ticks"][done & (operations["kind"] == int(kind))]
        if len(ticks):
            found[kind] = Cost(
                len(ticks),
                float(np.median(ticks)),
                float(np.percentile(ticks, 99)),
                int(ticks.max()),
            )
    return found
