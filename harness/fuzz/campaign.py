"""Boot case after case, keep what shows something new, and shrink what is wrong."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

from harness.fuzz.attempt import Attempt, attempt
from harness.fuzz.borders import borders
from harness.fuzz.case import Case
from harness.fuzz.corpus import Corpus, command_lines, seeds
from harness.fuzz.finding import (
    Finding,
    known_groups,
    note_finding,
    unfinished,
    write_finding,
)
from harness.fuzz.mutator import Surroundings, mutate
from harness.fuzz.shrink import MEMORIES, MOST_BOOTS, shrink
from harness.fuzz.store import Counts, Kept, Store, StoreError
from harness.image.kernel_image import KernelImage
from harness.machine.pool import Pool
from harness.machine.workers import WorkerLost, work_through

CPUS = ("qemu32", "486", "pentium", "pentium3")
SAVE_SECONDS = 2.0
"""Between two writings of how far a campaign is."""


@dataclass(frozen=True)
class Plan:
    """How a session of a campaign goes."""

    kernel: KernelImage
    memory: int
    """RAM of most machines, in bytes; some have less."""
    seed: int = 0
    jobs: int = 1
    most_cases: int | None = None
    """In this session …"""
    most_seconds: float | None = None
    """… and for how long, apart from what is to be shrunk then."""


@dataclass
class Progress:
    """How far a campaign is; the counts are those of all its sessions."""

    counts: Counts
    done: int = 0
    """Cases of this session that have been judged."""
    features: int = 0
    kept: int = 0
    findings: list[Finding] = field(default_factory=list)
    """Of this session."""
    started: float = field(default_factory=time.monotonic)
    last_new: float = field(default_factory=time.monotonic)
    """When a case last showed something new."""

    @property
    def seconds(self) -> float:
        """Since the start of this session."""
        return time.monotonic() - self.started


@dataclass(frozen=True)
class _Shrink:
    """What a worker is given to make smaller and to write down."""

    first: Attempt
    seconds: float
    folder: Path
    most: int = MOST_BOOTS
    """Boots that it may take."""


_Job = Case | _Shrink
_Result = Attempt | Finding


def run_campaign(plan: Plan, store: Store) -> Generator[Progress, None, None]:
    """Yield how far the campaign is, after each result; one value that changes.

    A store that holds a campaign goes on with it; with one job the same seed gives the same cases.
    Raise :class:`StoreError` for the campaign of another kernel, and what booting a machine raises.
    """
    campaign = _Campaign(plan, store)
    results: Generator[tuple[_Job, _Result | WorkerLost], None, None]
    results = work_through(campaign.next_job, _worker_for(plan.kernel), plan.jobs)
    try:
        with closing(results):
            for job, result in results:
                campaign.take(job, result)
                yield campaign.progress
    finally:
        campaign.save()


def _worker_for(kernel: KernelImage) -> Callable[[_Job, Pool], _Result]:
    def work(job: _Job, pool: Pool) -> _Result:
        if isinstance(job, Case):
            return attempt(job, kernel, pool)
        return _shrink(job, kernel, pool)

    return work


def _shrink(job: _Shrink, kernel: KernelImage, pool: Pool) -> Finding:
    group = job.first.group

    def shows_bug(case: Case) -> bool:
        return attempt(case, kernel, pool).group == group

    shrunk = shrink(job.first.case, shows_bug, job.most)
    again = attempt(shrunk.case, kernel, pool)
    finding = Finding(str(group), job.first, shrunk, again, job.seconds)
    write_finding(job.folder, finding, kernel, pool)
    return finding


class _Campaign:
    """What the workers' results add up to, and what they are to do next."""

    def __init__(self, plan: Plan, store: Store) -> None:
        self._plan, self._store = plan, store
        counts = store.counts() or Counts(plan.kernel.digest, plan.seed)
        if counts.kernel != plan.kernel.digest:
            raise StoreError(
                f"{store.folder} holds the campaign of another kernel ({counts.kernel}; this one "
                f"is {plan.kernel.digest}): take another folder"
            )
        self._before = counts
        # A session goes on where the last one was, and not through the same cases again.
        self._random = Random(f"{counts.seed} {counts.cases}")  # noqa: S311 - repeatable, no secret
        self._seeds = deque(seeds(plan.kernel, plan.memory)[counts.cases :])
        self._corpus = Corpus(seeds(plan.kernel, plan.memory))
        for kept in store.corpus():
            self._corpus.restore(kept.case, kept.new)
        self._groups = known_groups(store.findings)
        self._to_shrink = deque(
            _Shrink(Attempt(noted.case, "finding", group=noted.group), 0.0, folder)
            for folder, noted in unfinished(store.findings)
        )
        self.progress = Progress(counts)
        self._saved = time.monotonic()
        self._around = Surroundings(
            borders=borders(plan.kernel, plan.memory),
            memories=tuple(size for size in MEMORIES if size <= plan.memory),
            words=command_lines(plan.kernel),
            cpus=CPUS,
            others=self._corpus.cases,
            tapes=plan.kernel.description.tape is not None,
        )

    def next_job(self) -> _Job | None:
        """Return what to do next, None when the plan is fulfilled; shrinking comes first."""
        if self._to_shrink:
            return self._to_shrink.popleft()
        if self._over():
            return None
        self._count(cases=1)
        if self._seeds:
            return self._seeds.popleft()
        return mutate(self._corpus.choose(self._random), self._around, self._random)

    def _over(self) -> bool:
        plan, done = self._plan, self.progress.counts.cases - self._before.cases
        if plan.most_cases is not None and done >= plan.most_cases:
            return True
        return plan.most_seconds is not None and self.progress.seconds >= plan.most_seconds

    def _count(self, **more: int) -> None:
        counts = self.progress.counts
        changed = {name: getattr(counts, name) + number for name, number in more.items()}
        self.progress.counts = replace(counts, **changed)

    def take(self, job: _Job, result: _Result | WorkerLost) -> None:
        """Take in what has become of a job."""
        if isinstance(result, WorkerLost):
            self._count(lost=1)
            if isinstance(job, _Shrink) and job.most:
                self._to_shrink.append(replace(job, most=0))
        elif isinstance(result, Finding):
            self.progress.findings.append(result)
        else:
            self._take_attempt(result)
        if time.monotonic() - self._saved > SAVE_SECONDS:
            self.save()

    def _take_attempt(self, attempted: Attempt) -> None:
        progress = self.progress
        progress.done += 1
        self._count(impossible=attempted.word is None, refused=attempted.word == "refused")
        if new := self._corpus.consider(attempted):
            self._store.keep(Kept(attempted.case, tuple(sorted(new))))
            progress.last_new = time.monotonic()
        progress.features, progress.kept = len(self._corpus.features), len(self._corpus.cases)
        if attempted.group is not None and attempted.group not in self._groups:
            self._groups.add(attempted.group)
            folder = self._store.finding_folder(attempted.group)
            note_finding(folder, attempted, self._plan.kernel, self._store.write)
            self._to_shrink.append(_Shrink(attempted, progress.seconds, folder))

    def save(self) -> None:
        """Write how far the campaign is."""
        self._saved = time.monotonic()
        seconds = self._before.seconds + self.progress.seconds
        self._store.write_counts(replace(self.progress.counts, seconds=seconds))
