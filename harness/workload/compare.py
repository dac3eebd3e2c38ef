"""Several designs side by side: each on the same machines, with the same workloads."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass

from harness.machine.pool import Pool
from harness.machine.spec import MachineSpec
from harness.machine.workers import share_out
from harness.workload.trial import SAMPLES, Trial, run_trial
from harness.workload.workload import Workload


@dataclass(frozen=True)
class Contest:
    """One design's turn: its name, a machine with it, and what is asked of it."""

    design: str
    spec: MachineSpec
    workload: Workload
    samples: int = SAMPLES


def contests(
    designs: Iterable[tuple[str, Sequence[MachineSpec]]], workloads: Sequence[Workload]
) -> list[Contest]:
    """Return every design on each of its machines with each workload, workload by workload."""
    chosen = list(designs)
    return [
        Contest(name, spec, workload)
        for workload in workloads
        for name, specs in chosen
        for spec in specs
    ]


def run_contests(
    planned: Sequence[Contest], jobs: int | None = None
) -> Generator[tuple[int, Trial], None, None]:
    """Yield the index of each contest and its trial, in the order in which they end.

    See :func:`harness.machine.workers.share_out`.
    """
    return share_out(planned, _run, jobs)


def _run(contest: Contest, pool: Pool) -> Trial:
    return run_trial(contest.spec, contest.workload, pool, contest.samples)
