"""Which worker of a cluster is at which jobs, and what becomes of them when it goes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from harness.fuzz.job import Job, Shrink

TASKS_PER_THREAD = 2
"""One that runs, and one that waits, so that no worker waits for the network."""
TASK_SECONDS = 0.5
"""How long the cases of one task should take, together …"""
TASKS_PER_SECOND = 100
"""… and longer where there are so many workers that a scheduler would have more tasks than this."""
MOST_CASES = 2000
"""In one task."""


@dataclass(frozen=True)
class Task:
    """Jobs that one worker does in turn."""

    number: int
    worker: str
    jobs: tuple[Job, ...]


@dataclass
class _Worker:
    threads: int
    tasks: dict[int, Task] = field(default_factory=dict)
    """In the order in which it does them."""

    @property
    def load(self) -> float:
        return len(self.tasks) / self.threads


class Roster:
    """The workers that may be given jobs, by their addresses.

    ``most`` jobs are under way at a time; None: as many as keep every worker busy.
    """

    def __init__(self, most: int | None = None) -> None:
        self._most = most
        self._workers: dict[str, _Worker] = {}
        self._number = 0
        self._waiting: deque[tuple[Job, ...]] = deque()
        self._under_way = 0
        self._case_seconds: float | None = None

    def __contains__(self, worker: str) -> bool:
        """Tell whether a worker is known."""
        return worker in self._workers

    def __len__(self) -> int:
        """Return how many workers there are."""
        return len(self._workers)

    @property
    def busy(self) -> bool:
        """Whether anybody is at something."""
        return self._under_way > 0

    def join(self, worker: str, threads: int) -> None:
        """Take in a worker."""
        self._workers[worker] = _Worker(max(1, threads))

    def free(self) -> str | None:
        """Return the worker that should have the next task; None when all have enough."""
        if self._most is not None and self._under_way >= self._most:
            return None
        least = min(self._workers, key=lambda name: self._workers[name].load, default=None)
        if least is None or self._workers[least].load >= TASKS_PER_THREAD:
            return None
        return least

    def next_task(self, worker: str, ask: Callable[[], Job | None]) -> Task | None:
        """Return what a worker is to do next, None when there is nothing to do.

        What was left undone comes before new jobs.
        """
        if not self.fetch(ask):
            return None
        self._number += 1
        task = Task(self._number, worker, self._waiting.popleft())
        self._workers[worker].tasks[task.number] = task
        self._under_way += len(task.jobs)
        return task

    def fetch(self, ask: Callable[[], Job | None]) -> bool:
        """Ask for jobs unless some are waiting; return whether there are any."""
        if not self._waiting and (jobs := self._new_jobs(ask)):
            self._waiting.appendleft(jobs)
        return bool(self._waiting)

    def _new_jobs(self, ask: Callable[[], Job | None]) -> tuple[Job, ...]:
        jobs: list[Job] = []
        while len(jobs) < self._size() and (job := ask()) is not None:
            if isinstance(job, Shrink):
                # Long, and so alone; what was asked for before it follows in a task of its own.
                if jobs:
                    self._waiting.append(tuple(jobs))
                return (job,)
            jobs.append(job)
        return tuple(jobs)

    def _size(self) -> int:
        """Return how many cases a task should have."""
        if self._most is not None or self._case_seconds is None:
            return 1
        threads = sum(worker.threads for worker in self._workers.values())
        seconds = max(TASK_SECONDS, threads / TASKS_PER_SECOND)
        return max(1, min(MOST_CASES, int(seconds / self._case_seconds)))

    def done(self, task: Task, seconds: float) -> bool:
        """Note that a task is done, in ``seconds``; return whether anybody had it to do."""
        if not self._strike(task):
            return False
        if not isinstance(task.jobs[0], Shrink):
            each = seconds / len(task.jobs)
            # A worker's first machine takes long to start, so what is new counts little.
            known = each if self._case_seconds is None else self._case_seconds
            self._case_seconds = known + (each - known) / 8
        return True

    def undone(self, task: Task) -> None:
        """Note that a worker has given a task back."""
        if self._strike(task):
            self._waiting.append(task.jobs)

    def _strike(self, task: Task) -> bool:
        worker = self._workers.get(task.worker)
        if worker is None or worker.tasks.pop(task.number, None) is None:
            return False
        self._under_way -= len(task.jobs)
        return True

    def leave(self, worker: str) -> tuple[list[Task], list[Job]]:
        """Strike a worker out; return what it had to do, and which jobs of that are lost.

        A job that was alone in a task that may have been running is lost: maybe it is what ended
        the worker. Jobs that were together there are done again, each alone; what only waited is
        done again as it was.
        """
        gone = self._workers.pop(worker, None)
        tasks = list(gone.tasks.values()) if gone else []
        running = tasks[: gone.threads] if gone else []
        self._under_way -= sum(len(task.jobs) for task in tasks)
        lost = [task.jobs[0] for task in running if len(task.jobs) == 1]
        alone = [(job,) for task in running if len(task.jobs) > 1 for job in task.jobs]
        self._waiting.extend(alone)
        self._waiting.extend(task.jobs for task in tasks[len(running) :])
        return tasks, lost
