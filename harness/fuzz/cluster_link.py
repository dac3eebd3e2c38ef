"""The link to a ``dask.distributed`` cluster: workers are told of, and tasks go there and back.

Needs the extra ``cluster``. The link listens on nothing; it is one connection to the scheduler.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import hashlib
import json
import logging
import pickle
import queue
import uuid
from collections.abc import Coroutine, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distributed import Client, Future, KilledWorker
from distributed.comm import connect
from distributed.security import Security

from harness.fuzz import cluster_worker
from harness.fuzz.cluster_error import ClusterError
from harness.fuzz.identity import identity
from harness.fuzz.parcel import pack_subject
from harness.fuzz.roster import Task
from harness.fuzz.subject import Subject

CONNECT_SECONDS = 10.0
CLOSE_SECONDS = 0.5
GREET_SECONDS = 60.0
"""That a worker has to take in the kernel; it may have to import everything first."""
_AT_A_TIME = 16
"""Workers that are given the kernel together."""


@dataclass(frozen=True)
class Joined:
    """A worker has come, or was there."""

    worker: str


@dataclass(frozen=True)
class Left:
    """A worker has gone."""

    worker: str


@dataclass(frozen=True)
class Greeted:
    """A worker has the kernel; or ``complaint`` says why it can do nothing."""

    worker: str
    threads: int
    complaint: str = ""


@dataclass(frozen=True)
class Finished:
    """A task is done; ``results`` is None when its worker did not have the kernel."""

    task: Task
    seconds: float
    results: list[Any] | None


@dataclass(frozen=True)
class Failed:
    """A task has raised an error; None: it was cancelled, by whomever."""

    task: Task
    error: Exception | None


Event = Joined | Left | Greeted | Finished | Failed


class Link:
    """See :func:`connected`. Events are posted by the client's thread, and taken by the user's."""

    def __init__(self, client: Client, subject: Subject) -> None:
        self._client = client
        self._packed = pack_subject(subject)
        self._digest = hashlib.sha256(self._packed).hexdigest()[:16]
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._futures: dict[int, Future] = {}
        self._name = f"mm-harness-{uuid.uuid4().hex}"
        self._greeting = asyncio.Semaphore(_AT_A_TIME)

    @property
    def alive(self) -> bool:
        """Whether there is a connection."""
        return bool(self._client.status == "running")

    @property
    def address(self) -> str:
        """The scheduler's, as workers are told."""
        return str(self._client.scheduler.address)

    def watch_workers(self) -> None:
        """Tell of every worker from now on; raise ``OSError`` without a connection."""
        # Before the list is asked for: who comes in between is told of twice, and not never.
        self._client.subscribe_topic("all", self._note)
        for worker in self._client.nthreads():
            self._events.put(Joined(worker))

    def _note(self, event: tuple[float, Any]) -> None:
        match event[1]:
            case {"action": "add-worker", "worker": worker}:
                self._events.put(Joined(worker))
            case {"action": "remove-worker", "worker": worker}:
                self._events.put(Left(worker))

    def events(self, seconds: float) -> Iterator[Event]:
        """Yield what has happened; wait up to ``seconds`` for the first of it."""
        with contextlib.suppress(queue.Empty):
            yield self._events.get(timeout=seconds)
            while True:
                yield self._events.get_nowait()

    def greet(self, worker: str) -> None:
        """Give a worker the kernel, and tell how that went."""
        self._start(self._greet(worker))

    async def _greet(self, worker: str) -> None:
        arguments = (identity(), self._digest, self._packed)
        async with self._greeting:
            try:
                run = self._client.run(
                    cluster_worker.receive, *arguments, workers=[worker], on_error="return"
                )
                answer = (await asyncio.wait_for(run, GREET_SECONDS))[worker]
            except (OSError, TimeoutError, KeyError):
                self._events.put(Left(worker))  # meanwhile; or it hangs
                return
        if isinstance(answer, Exception):
            answer = (0, f"cannot run harness ({type(answer).__name__}: {answer})")
        self._events.put(Greeted(worker, *answer))

    def give(self, task: Task) -> None:
        """Have a worker do a task, and nobody else, and tell what came of it."""
        key = (self._name, task.number)
        future = self._client.submit(
            *(cluster_worker.work, key, self._digest, pickle.dumps(task.jobs)),
            key=key,
            workers=[task.worker],
            allow_other_workers=False,
            pure=False,
            retries=0,
            fifo_timeout=0,
        )
        self._futures[task.number] = future
        self._start(self._follow(task, future))

    async def _follow(self, task: Task, future: Future) -> None:
        try:
            answer = await self._client.gather(future)
        except (asyncio.CancelledError, concurrent.futures.CancelledError, KilledWorker):
            self._events.put(Failed(task, None))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is raised where jobs are given
            self._events.put(Failed(task, error))
        else:
            known = pickle.loads(answer) if answer else (0.0, None)  # noqa: S301 - our own workers
            self._events.put(Finished(task, *known))

    def drop(self, tasks: Iterable[Task]) -> None:
        """Wait for these tasks no longer."""
        futures = [self._futures.pop(task.number, None) for task in tasks]
        self._client.cancel([future for future in futures if future is not None])

    def forget(self, task: Task) -> None:
        """Let the cluster forget a task that has ended."""
        self._futures.pop(task.number, None)

    def _start(self, coroutine: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._client.loop.asyncio_loop)


@contextlib.contextmanager
def connected(scheduler: str, subject: Subject) -> Iterator[Link]:
    """Give a link to a scheduler, by its address or by the file that it writes.

    At the end nothing waits for tasks any more, and the cluster drops them. Raise
    :class:`ClusterError`.
    """
    _say_it_once()
    asyncio.run(_try_to_reach(scheduler))
    client = Client(**_place(scheduler), timeout=CONNECT_SECONDS, set_as_default=False)
    try:
        yield Link(client, subject)
    finally:
        with contextlib.suppress(TimeoutError):
            client.close(timeout=CLOSE_SECONDS)
        # It would try again, for much longer, when Python lets go of it. A scheduler drops the
        # tasks of a client whose connection ends.
        client.status = "closed"


def _say_it_once() -> None:
    """Keep dask from logging, with tracebacks, what a user is told in a sentence."""
    for name in logging.root.manager.loggerDict:
        if name.split(".")[0] == "distributed":
            logging.getLogger(name).setLevel(logging.CRITICAL)


async def _try_to_reach(scheduler: str) -> None:
    """Connect and leave again: a client that fails at it takes long to end."""
    place = _place(scheduler)
    try:
        address = place["address"] if "address" in place else _address_in(Path(scheduler))
        security = Security().get_connection_args("client")
        # Its own timeout does not hold for a stranger that answers in another language.
        connection = connect(address, timeout=CONNECT_SECONDS, **security)
        await (await asyncio.wait_for(connection, CONNECT_SECONDS + 1)).close()
    except (LookupError, ValueError):
        raise ClusterError(
            f"{scheduler!r} is neither a scheduler's address, such as tcp://127.0.0.1:8786, nor a "
            "file that it has written"
        ) from None
    except OSError:
        raise ClusterError(
            f"no scheduler has answered at {scheduler} in {CONNECT_SECONDS:.0f} s: start one with "
            "'dask scheduler --host 127.0.0.1', and give the address that it prints"
        ) from None
    except (RuntimeError, TypeError) as error:
        raise ClusterError(f"cannot connect to {scheduler}: {error}") from None


def _place(scheduler: str) -> dict[str, str]:
    is_file = "://" not in scheduler and Path(scheduler).is_file()
    return {"scheduler_file" if is_file else "address": scheduler}


def _address_in(file: Path) -> str:
    return str(json.loads(file.read_bytes())["address"])
