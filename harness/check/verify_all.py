"""Verify many machines, in processes of their own, each with its own warm machines."""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import signal
import sys
from collections.abc import Generator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing.util import Finalize

from harness.check.verdict import Verdict
from harness.check.verify import verify
from harness.machine.pool import Pool
from harness.machine.spec import MachineSpec

_PR_SET_PDEATHSIG = 1  # prctl(2), linux/prctl.h

_specs: Sequence[MachineSpec] = ()
_pool: Pool | None = None


def verify_all(
    specs: Sequence[MachineSpec], jobs: int | None = None
) -> Generator[tuple[int, Verdict], None, None]:
    """Yield the index of each machine and its verdict, in the order in which they end.

    ``jobs`` is the number of processes; None for one a core. Machines that differ only in map,
    fill, command line or modules reuse a warm process. Closing the generator, or Ctrl-C, ends
    the processes and their machines at once. Raise what :func:`verify` raises.
    """
    count = max(1, min(jobs or os.cpu_count() or 1, len(specs)))
    # Forked, so that the kernel's symbols and types are inherited and not sent with each machine.
    context = multiprocessing.get_context("fork")
    executor = ProcessPoolExecutor(count, context, _start_worker, (specs,))
    try:
        futures = {executor.submit(_verify_one, index): index for index in range(len(specs))}
        for future in as_completed(futures):
            yield futures[future], future.result()
    except BaseException:
        for worker in multiprocessing.active_children():
            worker.terminate()
        raise
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def _start_worker(specs: Sequence[MachineSpec]) -> None:
    global _specs, _pool
    # Ctrl-C reaches all processes of the terminal; only the parent heeds it, and tells us.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    _specs = specs
    with contextlib.ExitStack() as stack:
        _pool = stack.enter_context(Pool())
        # Runs when this worker leaves, which multiprocessing does without atexit handlers.
        Finalize(None, stack.pop_all().close, exitpriority=10)


def _verify_one(index: int) -> Verdict:
    assert _pool is not None
    return verify(_specs[index], _pool)
