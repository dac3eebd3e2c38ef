"""A campaign's jobs on the workers of a cluster: the far twin of ``machine/workers.py``.

Workers may come and go. What is done where stands in the roster; this file decides.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from harness.fuzz.case import Case
from harness.fuzz.cluster_error import ClusterError
from harness.fuzz.cluster_link import (
    Event,
    Failed,
    Finished,
    Greeted,
    Joined,
    Left,
    Link,
    connected,
)
from harness.fuzz.cluster_worker import Brief, Delivery
from harness.fuzz.finding import CASE
from harness.fuzz.job import Ask, Done, Job, Note, Results, Shrink
from harness.fuzz.parcel import unpack_file
from harness.fuzz.roster import Roster
from harness.fuzz.subject import Subject
from harness.machine.errors import MachineError
from harness.machine.workers import WorkerLost

PATIENCE_SECONDS = 600.0
"""How long a campaign goes on without any worker."""
_LOOK_SECONDS = 1.0
"""Between two looks at the connection."""
_GO_ON = "what was found is safe, and --resume goes on"


def work_through_cluster(ask: Ask, subject: Subject, scheduler: str, most: int | None) -> Results:
    """Yield each job and what a worker makes of it, in the order in which they end.

    ``most`` jobs are under way at a time, None: about two tasks a worker. With one, jobs are asked
    for as :func:`harness.machine.workers.work_through` does with one process. A worker that goes
    costs the job that it was at. Raise :class:`ClusterError`, and what a job raises.
    """
    with connected(scheduler, subject) as link:
        yield from _Work(ask, scheduler, link, Roster(most)).results()


class _Work:
    def __init__(self, ask: Ask, scheduler: str, link: Link, roster: Roster) -> None:
        self._ask, self._scheduler, self._link, self._roster = ask, scheduler, link, roster
        self._greeting: set[str] = set()
        self._complaints: set[str] = set()
        self._used = False
        """Whether any worker could ever be used."""
        self._alone_since: float | None = None

    def results(self) -> Results:
        """Yield what comes of the jobs; the workers are at the next ones meanwhile."""
        self._link.watch_workers()
        done: list[Done | Note] = []
        while self._hand_out() or done or self._roster.busy:
            yield from done
            done = []
            if not self._link.alive:
                raise ClusterError(f"the scheduler at {self._scheduler} has gone; {_GO_ON}")
            for event in self._link.events(_LOOK_SECONDS):
                done += self._take(event)
            done += self._look_for_workers()

    def _hand_out(self) -> bool:
        """Give tasks to the workers; return whether there may be more to do."""
        if not self._roster:
            # Maybe the last one has gone with the last case, or time is up.
            return not self._used or self._roster.fetch(self._ask)
        # Many workers have many cases made up; what comes back meanwhile must not wait for that.
        deadline = time.monotonic() + _LOOK_SECONDS
        while time.monotonic() < deadline and (worker := self._roster.free()) is not None:
            if (task := self._roster.next_task(worker, self._ask)) is None:
                return False
            self._link.give(task)
        return True

    def _look_for_workers(self) -> Iterator[Note]:
        """Tell when there is none; raise when there has been none for long."""
        if self._roster or self._greeting:
            self._alone_since = None
        elif self._alone_since is None:
            self._alone_since = time.monotonic()
            yield Note(f"waiting for workers: dask worker {self._link.address} --nthreads 1")
        elif time.monotonic() - self._alone_since > PATIENCE_SECONDS:
            raise ClusterError(
                f"no worker has come to {self._scheduler} in {PATIENCE_SECONDS:.0f} s; {_GO_ON}"
            )

    def _take(self, event: Event) -> Iterator[Done | Note]:
        match event:
            case Joined(worker):
                self._greet(worker)
            case Greeted(worker):
                yield from self._welcome(event)
            case Left(worker):
                yield from self._lose(worker)
            case Finished(task, _, None):
                # It has had the kernels of many other campaigns meanwhile.
                self._roster.undone(task)
                yield from self._lose(task.worker)
                self._greet(task.worker)
            case Finished(task, seconds, results) if self._roster.done(task, seconds):
                self._link.forget(task)
                for job, result in zip(task.jobs, results or (), strict=True):
                    yield from _received(job, result)
            case Failed():
                yield from self._failed(event)

    def _greet(self, worker: str) -> None:
        if worker not in self._greeting and worker not in self._roster:
            self._greeting.add(worker)
            self._link.greet(worker)

    def _welcome(self, greeted: Greeted) -> Iterator[Note]:
        if greeted.worker not in self._greeting:
            return  # it has gone again
        self._greeting.remove(greeted.worker)
        if not greeted.complaint:
            self._used = True
            self._roster.join(greeted.worker, greeted.threads)
            return
        complaint = f"the worker at {greeted.worker} {greeted.complaint}"
        if not (self._used or self._greeting):
            raise ClusterError(complaint)
        if greeted.complaint not in self._complaints:
            self._complaints.add(greeted.complaint)
            yield Note(f"{complaint}; it gets no jobs")

    def _lose(self, worker: str) -> Iterator[Done]:
        self._greeting.discard(worker)
        tasks, lost = self._roster.leave(worker)
        self._link.drop(tasks)
        for job in lost:
            yield job, WorkerLost(f"the worker at {worker} has gone")

    def _failed(self, failed: Failed) -> Iterator[Done]:
        task, error = failed.task, failed.error
        if error is None:
            yield from self._lose(task.worker)
        elif self._roster.done(task, 0.0):
            if isinstance(error, MachineError | OSError):
                raise ClusterError(f"the worker at {task.worker}: {error}; {_GO_ON}") from error
            raise error


def _received(job: Job, result: Brief | Delivery) -> Iterator[Done | Note]:
    """Yield a result; write down the files of a finding, the case at last."""
    if isinstance(result, Brief):
        assert isinstance(job, Case)
        yield job, result.attempt(job)
        return
    assert isinstance(job, Shrink)
    for name in sorted(result.files, key=lambda name: name == CASE):
        if packed := result.files[name]:
            unpack_file(job.folder / Path(name).name, packed)
        else:
            yield Note(f"{job.folder.name}: {name} was too large to be sent")
    yield job, result.finding
