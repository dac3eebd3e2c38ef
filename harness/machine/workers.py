"""Work on many machines in processes of their own, each with its own warm machines."""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

from harness.machine.errors import MachineError
from harness.machine.pool import Pool
from harness.machine.signals import STOPS, stops_wait

T = TypeVar("T")
R = TypeVar("R")

END_TIMEOUT = 5.0
"""Seconds that a worker has to end its machines."""
_PR_SET_PDEATHSIG = 1  # prctl(2), linux/prctl.h

# A process pool of the standard library shares queues and their locks between its workers: one
# that is ended at the wrong moment keeps a lock, and the others wait for ever. Here each worker
# has a pipe of its own.


def share_out(
    items: Sequence[T], work: Callable[[T, Pool], R], jobs: int | None = None
) -> Generator[tuple[int, R], None, None]:
    """Yield the index of each item and what ``work`` makes of it, in the order in which they end.

    ``jobs`` is the number of processes; None for one a core. Each has a pool: machines that may
    follow one another there reuse a warm process. Closing the generator, or Ctrl-C, ends the
    processes and their machines at once. Raise what ``work`` raises.
    """
    count = max(1, min(jobs or os.cpu_count() or 1, len(items)))
    with contextlib.ExitStack() as stack:
        workers = [stack.enter_context(_worker(items, work)) for _ in range(count)]
        yield from _give_out(workers, len(items))


@contextlib.contextmanager
def _worker(items: Sequence[T], work: Callable[[T, Pool], R]) -> Iterator[Connection]:
    """Start a worker; it takes indices from the connection and gives verdicts back."""
    # Forked, so that the kernel's symbols and types are inherited and not sent with each machine.
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs, items, work), daemon=True)
    try:
        # What stops us waits until the child has handlers of its own: it would meet ours there.
        with stops_wait():
            try:
                process.start()
            finally:
                theirs.close()
        yield ours
    finally:
        ours.close()
        if process.pid is not None:
            _end(process)


def _end(process: BaseProcess) -> None:
    """End a worker: with its machines if it listens, in any case after a while."""
    process.terminate()
    process.join(END_TIMEOUT)
    process.kill()
    process.join()


def _give_out(workers: list[Connection], count: int) -> Generator[tuple[int, Any], None, None]:
    waiting = iter(range(count))
    busy: dict[Connection, int] = {}

    def give(worker: Connection) -> None:
        index = next(waiting, None)
        if index is not None:
            worker.send(index)
            busy[worker] = index

    for worker in workers:
        give(worker)
    while busy:
        ready = wait(list(busy))
        for worker in [worker for worker in workers if worker in ready]:
            index = busy.pop(worker)
            answer = _answer(worker)
            give(worker)
            yield index, answer


def _answer(worker: Connection) -> Any:
    try:
        answer = worker.recv()
    except (EOFError, ConnectionResetError):
        raise MachineError("a worker process has ended by itself") from None
    if isinstance(answer, Exception):
        raise answer
    return answer


def _work(parent: Connection, items: Sequence[T], work: Callable[[T, Pool], R]) -> None:
    # Ctrl-C reaches all processes of the terminal; only the parent heeds it, and ends us.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    with Pool() as pool, contextlib.suppress(EOFError, ConnectionError):
        while True:
            parent.send(_attempt(work, items[parent.recv()], pool))


def _attempt(work: Callable[[T, Pool], R], item: T, pool: Pool) -> R | Exception:
    try:
        return work(item, pool)
    except Exception as error:  # noqa: BLE001 - whatever it is, the parent raises it
        return error
