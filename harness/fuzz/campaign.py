"""Boot case after case, keep what shows something new, and shrink what is wrong."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass, field, replace
from random import Random

from harness.fuzz.attempt import Attempt
from harness.fuzz.borders import borders
from harness.fuzz.carries_out import kinds_of
from harness.fuzz.case import Case
from harness.fuzz.cluster_error import require_cluster
from harness.fuzz.corpus import CPUS, Corpus, command_lines, seeds
from harness.fuzz.finding import (
    Finding,
    known_groups,
    note_finding,
    unfinished,
)
from harness.fuzz.job import Ask, Job, Note, Result, Results, Shrink, do
from harness.fuzz.mutator import mutate
from harness.fuzz.shrink import MEMORIES
from harness.fuzz.store import Counts, Store, StoreError
from harness.fuzz.subject import Subject
from harness.fuzz.surroundings import Surroundings
from harness.machine.pool import Pool
from harness.machine.workers import WorkerLost, work_through

SAVE_SECONDS = 2.0
"""Between two writings of how far a campaign is."""


@dataclass(frozen=True)
class Plan:
    """How a session of a campaign goes."""

    subject: Subject
    memory: int
    """RAM of most machines, in bytes; some have less."""
    seed: int | None = None
    """Of the chances taken; None for the campaign's own, which is 0 for a new one."""
    jobs: int | None = 1
    """Worker processes, None for one a core; on a cluster the most jobs at a time, None for as many
    as keep its workers busy."""
    most_cases: int | None = None
    """In this session …"""
    most_seconds: float | None = None
    """… and for how long, apart from what is to be shrunk then."""
    scheduler: str | None = None
    """Address of a cluster's scheduler, or the file that it writes; None: work on this machine."""

    def counts(self) -> Counts:
        """Return those of a campaign that begins."""
        return Counts(self.subject.kernel.digest, self.seed or 0)


@dataclass
class Progress:
    """How far a campaign is; the counts are those of all its sessions."""

    counts: Counts
    done: int = 0
    """Cases of this session that have been judged."""
    features: int = 0
    edges: int = 0
    kept: int = 0
    findings: list[Finding] = field(default_factory=list)
    """Of this session."""
    notes: list[str] = field(default_factory=list)
    """What has been told of the workers."""
    started: float = field(default_factory=time.monotonic)
    last_new: float = field(default_factory=time.monotonic)
    """When a case last showed something new …"""
    last_new_edge: float = field(default_factory=time.monotonic)
    """… and when that was an edge; the session's start as long as there was none."""

    @property
    def seconds(self) -> float:
        """Since the start of this session."""
        return time.monotonic() - self.started


def run_campaign(plan: Plan, store: Store) -> Generator[Progress, None, None]:
    """Yield how far the campaign is, after each result; one value that changes.

    A store that holds a campaign goes on with it; with one job the same seed gives the same cases.
    Raise :class:`StoreError` for the campaign of another kernel, seed or coverage,
    :class:`ClusterError`, and what booting a machine raises.
    """
    campaign = _Campaign(plan, store)
    try:
        with closing(_results(plan, campaign.next_job)) as results:
            for result in results:
                if isinstance(result, Note):
                    campaign.progress.notes.append(result.text)
                else:
                    campaign.take(*result)
                yield campaign.progress
    finally:
        campaign.save()


def _results(plan: Plan, ask: Ask) -> Results:
    if plan.scheduler is not None:
        require_cluster()
        # Late: a campaign without a cluster needs nothing of dask.
        from harness.fuzz.cluster import work_through_cluster

        return work_through_cluster(ask, plan.subject, plan.scheduler, plan.jobs)

    def work(job: Job, pool: Pool) -> Result:
        return do(job, plan.subject, pool)

    return work_through(ask, work, plan.jobs)


class _Campaign:
    """What the workers' results add up to, and what they are to do next."""

    def __init__(self, plan: Plan, store: Store) -> None:
        self._plan, self._store = plan, store
        kernel = plan.subject.kernel
        known = store.counts()
        self._is_new = known is None
        counts = known or plan.counts()
        if plan.seed not in (None, counts.seed):
            raise _unlike(store, "seed", counts.seed, plan.seed)
        counts = _with_coverage(counts, plan.subject, store)
        if counts.kernel != kernel.digest:
            raise StoreError(
                f"{store.folder} holds the campaign of another kernel ({counts.kernel}; this one "
                f"is {kernel.digest}), or one with another --coverage: take another folder"
            )
        self._before = counts
        # A session goes on where the last one was, and not through the same cases again.
        self._random = Random(f"{counts.seed} {counts.cases}")  # noqa: S311 - repeatable, no secret
        self._seeds = seeds(kernel, plan.memory)
        self._corpus = Corpus(list(self._seeds))
        self._kept = 0
        for self._kept, kept in enumerate(store.corpus(), 1):
            self._corpus.restore(kept)
        self._groups = known_groups(store.findings)
        self._to_shrink = deque(
            Shrink(Attempt(noted.case, "finding", group=noted.group), 0.0, folder)
            for folder, noted in unfinished(store.findings)
        )
        self.progress = Progress(counts)
        self._measure()
        self._saved = time.monotonic()
        self._around = Surroundings(
            borders=borders(kernel, plan.memory),
            memories=tuple(size for size in MEMORIES if size <= plan.memory),
            words=command_lines(kernel),
            cpus=CPUS,
            others=self._corpus.cases,
            kinds=kinds_of(kernel),
        )

    def next_job(self) -> Job | None:
        """Return what to do next, None when the plan is fulfilled; shrinking comes first."""
        if self._is_new:
            self._store.write_counts(self._before)  # first of all: it tells whose the folder is
            self._is_new = False
        if self._to_shrink:
            return self._to_shrink.popleft()
        if self._over():
            return None
        number = self.progress.counts.cases
        self._count(cases=1)
        return self._seed(number) or mutate(
            self._corpus.choose(self._random), self._around, self._random
        )

    def _seed(self, number: int) -> Case | None:
        """Return the seed that a campaign's case ``number`` is, None when it is a changed one.

        While seeds are left, they and changed ones come in turn.
        """
        index, odd = divmod(number, 2)
        return self._seeds[index] if not odd and index < len(self._seeds) else None

    def _over(self) -> bool:
        plan, done = self._plan, self.progress.counts.cases - self._before.cases
        if plan.most_cases is not None and done >= plan.most_cases:
            return True
        return plan.most_seconds is not None and self.progress.seconds >= plan.most_seconds

    def _count(self, **more: int) -> None:
        counts = self.progress.counts
        changed = {name: getattr(counts, name) + number for name, number in more.items()}
        self.progress.counts = replace(counts, **changed)

    def take(self, job: Job, result: Result | WorkerLost) -> None:
        """Take in what has become of a job."""
        if isinstance(result, WorkerLost):
            self._count(lost=1)
            if isinstance(job, Shrink) and job.most:
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
        if (kept := self._corpus.consider(attempted)) is not None:
            self._store.keep(kept)
            self._kept += 1
            progress.last_new = time.monotonic()
            if kept.edges:
                progress.last_new_edge = progress.last_new
        self._measure()
        if attempted.group is not None and attempted.group not in self._groups:
            self._groups.add(attempted.group)
            folder = self._store.finding_folder(attempted.group)
            note_finding(folder, attempted, self._plan.subject.kernel, self._store.write)
            progress.notes.append(f"to be made smaller: {attempted.group}")
            self._to_shrink.append(Shrink(attempted, self._seconds(), folder))

    def _measure(self) -> None:
        progress, corpus = self.progress, self._corpus
        progress.features, progress.edges = len(corpus.features), len(corpus.edges)
        progress.kept = self._kept

    def save(self) -> None:
        """Write how far the campaign is, if it has come any further."""
        if self.progress.counts == self._before:
            return
        self._saved = time.monotonic()
        self._store.write_counts(replace(self.progress.counts, seconds=self._seconds()))

    def _seconds(self) -> float:
        """Return the seconds of all sessions."""
        return self._before.seconds + self.progress.seconds


def _with_coverage(counts: Counts, subject: Subject, store: Store) -> Counts:
    """Return counts that say who tells the edges; raise :class:`StoreError` if others have."""
    began = counts.coverage
    if began is None:
        return replace(counts, coverage=subject.settled_source)
    if began is not subject.source:
        raise _unlike(store, "coverage", began.value, subject.source.value)
    return counts


def _unlike(store: Store, option: str, began: object, asked: object) -> StoreError:
    return StoreError(
        f"{store.folder} holds a campaign with --{option} {began}, and this one is with {asked}: "
        f"leave --{option} out, or take another folder"
    )
