"""Verify many machines, over several processes, each with its own warm machines."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing.util import Finalize

from harness.check.verdict import Verdict
from harness.check.verify import verify
from harness.machine.pool import Pool
from harness.machine.spec import MachineSpec

_specs: Sequence[MachineSpec] = ()
_pool: Pool | None = None


def verify_all(
    specs: Sequence[MachineSpec], jobs: int | None = None
) -> Iterator[tuple[int, Verdict]]:
    """Yield the index of each machine and its verdict, in the order in which they end.

    ``jobs`` is the number of processes; None for one a core. Machines that differ only in map,
    fill, command line or modules reuse a warm process.
    """
    jobs = min(jobs or os.cpu_count() or 1, len(specs))
    if jobs <= 1:
        yield from _verify_here(specs)
    else:
        yield from _verify_in_processes(specs, jobs)


def _verify_here(specs: Sequence[MachineSpec]) -> Iterator[tuple[int, Verdict]]:
    with Pool() as pool:
        for index, spec in enumerate(specs):
            yield index, verify(spec, pool)


def _verify_in_processes(specs: Sequence[MachineSpec], jobs: int) -> Iterator[tuple[int, Verdict]]:
    # Forked, so that the kernel's symbols and types are inherited and not sent with each machine.
    executor = ProcessPoolExecutor(
        jobs, multiprocessing.get_context("fork"), _start_worker, (specs,)
    )
    try:
        futures = {executor.submit(_verify_one, index): index for index in range(len(specs))}
        for future in as_completed(futures):
            yield futures[future], future.result()
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def _start_worker(specs: Sequence[MachineSpec]) -> None:
    global _specs, _pool
    # Ctrl-C reaches the whole process group; the parent alone decides, and cancels what waits.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _specs = specs
    with contextlib.ExitStack() as stack:
        _pool = stack.enter_context(Pool())
        # Runs when this worker leaves, which multiprocessing does without atexit handlers.
        Finalize(None, stack.pop_all().close, exitpriority=10)


def _verify_one(index: int) -> Verdict:
    assert _pool is not None
    return verify(_specs[index], _pool)
