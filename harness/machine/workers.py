"""Work on many machines in processes of their own, each with its own warm machines."""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Collection, Generator, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

from harness.machine.errors import MachineError
from harness.machine.pool import Pool
from harness.machine.signals import STOPS, stops_wait

T = TypeVar("T")
R = TypeVar("R")

MOMENT = 0.01
"""Seconds after which a worker that is to leave tries again."""
END_TIMEOUT = 5.0
"""Seconds that a worker has to end its machines."""
_PR_SET_PDEATHSIG = 1  # prctl(2), linux/prctl.h

# A process pool of the standard library shares queues and their locks between its workers: one
# that is ended at the wrong moment keeps a lock, and the others wait for ever. Here each worker
# has a pipe of its own.


class WorkerLost(MachineError):
    """A worker process that has ended by itself."""


def share_out(
    items: Sequence[T], work: Callable[[T, Pool], R], jobs: int | None = None
) -> Generator[tuple[int, R], None, None]:
    """Yield the index of each item and what ``work`` makes of it, in the order in which they end.

    ``jobs`` is the number of processes; None for one a core. See :func:`work_through`; raise what
    ``work`` raises, and :class:`WorkerLost`.
    """
    # The items are inherited by the workers, so that kernels are not sent; only numbers are.
    count = min(jobs or len(os.sched_getaffinity(0)), len(items))
    indices = iter(range(len(items)))
    results = work_through(
        lambda: next(indices, None), lambda index, pool: work(items[index], pool), count
    )
    with contextlib.closing(results):
        for index, result in results:
            if isinstance(result, WorkerLost):
                raise result
            yield index, result


def work_through(
    ask: Callable[[], T | None], work: Callable[[T, Pool], R], jobs: int | None = None
) -> Generator[tuple[T, R | WorkerLost], None, None]:
    """Yield each item and what ``work`` makes of it, in the order in which they end.

    A process that is free asks for an item, which may depend on what has come out; it gets None
    where there is nothing to do yet, and all is over when that goes for all of them. ``jobs`` is
    the number of processes; None for one a core. Each has a pool: machines that may follow one
    another there reuse a warm process. One that ends by itself costs the item that it was at, and
    another takes its place. Closing the generator, or Ctrl-C, ends the processes and their machines
    at once. Raise what ``work`` raises.

    Where there is one process a core, each keeps to its own, with its machines: process and QEMU
    take turns, and waking the other on another core takes a third of the time there is.
    """
    workers: list[_Worker] = []
    cores = _cores(jobs)
    busy: dict[_Worker, T] = {}
    done: list[tuple[T, R | WorkerLost]] = []
    try:
        workers.extend(_Worker(work, core) for core in cores)
        while True:
            for worker in [worker for worker in workers if worker not in busy]:
                if (item := ask()) is not None:
                    busy[worker] = item
                    worker.give(item)
            if not busy and not done:
                return
            # All processes are at work again while these are looked at.
            yield from done
            done = []
            for worker in _with_results(busy):
                result = worker.take()
                done.append((busy.pop(worker), result))
                if isinstance(result, WorkerLost):
                    worker.tell_to_end()
                    worker.wait_for_end()
                    workers[workers.index(worker)] = _Worker(work, worker.core)
    finally:
        # A second Ctrl-C would leave some that nobody ends.
        with stops_wait():
            for worker in workers:
                worker.tell_to_end()
            for worker in workers:
                worker.wait_for_end()


def _cores(jobs: int | None) -> list[int | None]:
    """Return the core for each of ``jobs`` processes; None: any."""
    allowed = sorted(os.sched_getaffinity(0))
    if jobs in (None, len(allowed)):
        return list(allowed)
    return [None] * max(1, jobs or 1)  # of fewer, other programs would choose the same ones


def _with_results(busy: Collection[_Worker]) -> list[_Worker]:
    """Return those that have something to say or have ended; wait until some have."""
    if not busy:
        return []
    ready = wait([worker.connection for worker in busy])
    return [worker for worker in busy if worker.connection in ready]


class _Worker:
    """A process that works on one item at a time."""

    def __init__(self, work: Callable[[Any, Pool], Any], core: int | None) -> None:
        self.core = core
        # Forked, so that the kernel's symbols and types are inherited.
        context = multiprocessing.get_context("fork")
        self.connection, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs, work, core), daemon=True)
        # What stops us waits until the child has handlers of its own: it would meet ours there.
        with stops_wait():
            try:
                self._process.start()
            finally:
                theirs.close()

    def give(self, item: Any) -> None:
        """Let it work on ``item``; whether it has ended shows when the result is taken."""
        with contextlib.suppress(ConnectionError):
            self.connection.send(item)

    def take(self) -> Any:
        """Return what it has made of its item; raise what ``work`` raised."""
        try:
            answer = self.connection.recv()
        except (EOFError, ConnectionError):
            return WorkerLost("a worker process has ended by itself")
        if isinstance(answer, Exception):
            raise answer
        return answer

    def tell_to_end(self) -> None:
        """Have it end with its machines; do not wait for that."""
        self.connection.close()
        self._process.terminate()

    def wait_for_end(self) -> None:
        """Wait until it has ended, and end it after a while in any case."""
        self._process.join(END_TIMEOUT)
        self._process.kill()
        self._process.join()


def _work(parent: Connection, work: Callable[[T, Pool], R], core: int | None) -> None:
    # Ctrl-C reaches all processes of the terminal; only the parent heeds it, and ends us.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGALRM):
        signal.signal(number, _leave)
    sys.unraisablehook = _try_again
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if core is not None:
        os.sched_setaffinity(0, {core})
    with Pool() as pool, contextlib.suppress(EOFError, ConnectionError):
        while True:
            parent.send(_attempt(work, parent.recv(), pool))


def _leave(number: int, frame: object) -> None:
    sys.exit(128 + number)


def _try_again(unraisable: sys.UnraisableHookArgs) -> None:
    """Leave a moment later when it was a finaliser that was to leave, and could not."""
    if isinstance(unraisable.exc_value, SystemExit):
        signal.setitimer(signal.ITIMER_REAL, MOMENT)
    else:
        sys.__unraisablehook__(unraisable)


def _attempt(work: Callable[[T, Pool], R], item: T, pool: Pool) -> R | Exception:
    try:
        return work(item, pool)
    except Exception as error:  # noqa: BLE001 - whatever it is, the parent raises it
        return error
