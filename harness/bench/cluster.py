"""What a cluster brings: with a second worker, and with a thousand that are simulated."""

from __future__ import annotations

import pickle
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from harness.bench.local_cluster import LocalCluster, local_cluster
from harness.bench.measurement import Measurement, all_cores
from harness.fuzz.attempt import attempt
from harness.fuzz.campaign import Plan, Progress, run_campaign
from harness.fuzz.corpus import seeds
from harness.fuzz.roster import TASKS_PER_SECOND
from harness.fuzz.store import Counts, open_store
from harness.fuzz.subject import Subject
from harness.image.kernel_image import KernelImage
from harness.machine.pool import Pool

FIGURES = ("cluster_two_worker_efficiency", "cluster_workers_bound")
MEMORY = 64 << 20
CASES_PER_SECOND = 150
"""Of one worker, for the bound."""
_ROUNDS, _ROUND_SECONDS = 3, 10.0
_FEW, _MANY, _PROCESSES = 10, 1000, 2
_SLOW_SECONDS = 10.0
"""That a case takes where workers are many: as long as their tasks are to take."""
_SAMPLES = 100
_WARM_UP_CASES = 2
_SECONDS = 30.0
_PAST_SEEDS = 1000


def measure(kernel: KernelImage) -> list[Measurement]:
    """Time one worker against two, and what simulated workers cost scheduler and client."""
    with all_cores():
        return [_scaling(kernel), _bound(kernel)]


def _scaling(kernel: KernelImage) -> Measurement:
    with local_cluster() as one, local_cluster() as two:
        clusters = {"one": (one, 1), "two": (two, 2)}
        rates: dict[str, list[float]] = {name: [] for name in clusters}
        for cluster, workers in clusters.values():
            for _ in range(workers):
                cluster.add_worker()
            cluster.wait_for_workers(workers)
        for number in range(1 + _ROUNDS):
            for name, (cluster, _) in clusters.items():
                rate = _rate(kernel, cluster, _ROUND_SECONDS)
                if number:  # the first round starts everybody's machines
                    rates[name].append(rate)
    details = {f"{name} worker cases/s": median(found) for name, found in rates.items()}
    efficiency = median(rates["two"]) / (2 * median(rates["one"]))
    return Measurement("cluster_two_worker_efficiency", efficiency, "", None, True, details)


def _rate(kernel: KernelImage, cluster: LocalCluster, seconds: float) -> float:
    """Return how many cases a second a cluster judges, from the first result on."""
    with _campaign(kernel, cluster) as states:
        begun = next(state for state in states if state.done)
        start, before = time.monotonic(), begun.done
        for state in states:
            if (taken := time.monotonic() - start) >= seconds:
                return (state.done - before) / taken
    raise RuntimeError("the campaign ended")


@contextmanager
def _campaign(kernel: KernelImage, cluster: LocalCluster) -> Iterator[Iterator[Progress]]:
    """Give the states of a campaign that is past the cases which it begins with."""
    plan = Plan(Subject(kernel), MEMORY, jobs=None, scheduler=cluster.address)
    with tempfile.TemporaryDirectory() as folder, open_store(Path(folder)) as store:
        store.write_counts(Counts(kernel.digest, 0, cases=_PAST_SEEDS))
        with closing(run_campaign(plan, store)) as states:
            yield states


@dataclass(frozen=True)
class _Spent:
    """How far a campaign was, and what CPU time had gone into it."""

    cases: int
    wall: float
    client: float
    scheduler: float

    @classmethod
    def now(cls, progress: Progress, cluster: LocalCluster) -> _Spent:
        spent = time.process_time(), cluster.scheduler_seconds()
        return cls(progress.done, time.monotonic(), *spent)


@dataclass(frozen=True)
class _Load:
    """What a campaign asks of two processes, each in cores."""

    cases: float
    """Per second."""
    client: float
    scheduler: float


def _bound(kernel: KernelImage) -> Measurement:
    """Return how many workers one client can keep at work, and what that asks of a scheduler.

    A client has work with each case, which shows with few workers that are quick. Both have work
    with each task, of which there are no more than so many a second; that shows with many workers,
    which are slow, as all share this machine.
    """
    samples = _samples(kernel)
    few = _load(kernel, samples, _FEW, 1 / CASES_PER_SECOND)
    many = _load(kernel, samples, _MANY, _SLOW_SECONDS)
    case_cost = few.client / few.cases
    # A slow case is a task. What workers report is counted as if it came with tasks.
    tasks = TASKS_PER_SECOND / many.cases
    client_load = tasks * (many.client - case_cost * many.cases)
    details = {
        "client us/case": case_cost * 1e6,
        f"client % for {TASKS_PER_SECOND} tasks/s": client_load * 100,
        f"scheduler % for {TASKS_PER_SECOND} tasks/s": tasks * many.scheduler * 100,
        f"cases/s of {_FEW} workers": few.cases,
        f"tasks/s of {_MANY} slow workers": many.cases,
    }
    bound = (1 - client_load) / (case_cost * CASES_PER_SECOND)
    return Measurement("cluster_workers_bound", bound, "workers", None, True, details)


def _load(kernel: KernelImage, samples: bytes, workers: int, case_seconds: float) -> _Load:
    with local_cluster() as cluster:
        for _ in range(_PROCESSES):
            cluster.add_simulated(workers // _PROCESSES, case_seconds, samples)
        cluster.wait_for_workers(workers)
        with _campaign(kernel, cluster) as states:
            # By then all have the kernel, and something to do.
            next(state for state in states if state.done >= _WARM_UP_CASES * workers)
            first = _after(0.0, states, cluster)
            last = _after(_SECONDS, states, cluster)
    wall = last.wall - first.wall
    return _Load(
        (last.cases - first.cases) / wall,
        (last.client - first.client) / wall,
        (last.scheduler - first.scheduler) / wall,
    )


def _after(seconds: float, states: Iterator[Progress], cluster: LocalCluster) -> _Spent:
    start = time.monotonic()
    state = next(state for state in states if time.monotonic() - start >= seconds)
    return _Spent.now(state, cluster)


def _samples(kernel: KernelImage) -> bytes:
    """Return attempts at real cases, pickled: results of the size that results have."""
    with Pool() as pool:
        cases = seeds(kernel, MEMORY)[:_SAMPLES]
        return pickle.dumps([attempt(case, kernel, pool) for case in cases])
