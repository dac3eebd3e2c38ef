"""What a cluster's workers do: they keep a kernel, and machines that are warm, between tasks.

A task runs in a thread of a worker process, which keeps its threads. Each has a pool of its own, as
QEMU ends with the thread that started it, however that ends.
"""

from __future__ import annotations

import pickle
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from distributed.worker import Worker, get_worker
from tornado.ioloop import PeriodicCallback

from harness.fuzz.finding import Finding
from harness.fuzz.identity import identity
from harness.fuzz.job import Job, Result, Shrink, do
from harness.fuzz.parcel import pack_folder, unpack_subject
from harness.fuzz.subject import Subject
from harness.machine.guest import Guest
from harness.machine.pool import Pool
from harness.machine.scratch import scratch_folder
from harness.machine.spec import MachineSpec

MOST_CAMPAIGNS = 4
"""Whose kernels a worker keeps."""
IDLE_SECONDS = 30.0
"""After which machines are ended that no task has used."""
_LOOK_SECONDS = 5.0


@dataclass(frozen=True)
class Delivery:
    """A finding, and the files of its folder."""

    finding: Finding
    files: dict[str, bytes]
    """See :func:`harness.fuzz.parcel.pack_folder`."""


class GivenUp(Exception):
    """Nobody waits for this task any more."""


@dataclass(frozen=True)
class _Campaign:
    subject: Subject
    names: Mapping[str, str]
    """Paths of its files here → where they are at the campaign's."""


class _Pool(Pool):
    """One that boots nothing for a task that was given up."""

    def boot(self, spec: MachineSpec) -> Guest:
        if _given_up():
            raise GivenUp
        return super().boot(spec)


@dataclass
class _Bench:
    """The machines of one thread; its lock is held by whoever uses them."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    pool: Pool = field(default_factory=_Pool)
    task: object = None
    used: float = 0.0


_campaigns: dict[str, _Campaign] = {}
_benches: dict[threading.Thread, _Bench] = {}


def receive(program: str, digest: str, packed: bytes, dask_worker: Worker) -> tuple[int, str]:
    """Take in a campaign's kernel; return the worker's threads, and what is wrong with it or "".

    ``program`` is the campaign's :func:`harness.fuzz.identity.identity`, ``digest`` that of what is
    ``packed``.
    """
    threads = dask_worker.state.nthreads
    if program != identity():
        return threads, f"has harness {identity()}, and the campaign {program}: install the same"
    # One that is known stays the same object: caches compare kernels, which takes long otherwise.
    campaign = _campaigns.pop(digest, None)
    if campaign is None:
        folder = Path(dask_worker.local_directory) / f"mm-harness-{digest}"
        campaign = _Campaign(*unpack_subject(packed, folder))
    _campaigns[digest] = campaign
    while len(_campaigns) > MOST_CAMPAIGNS:
        del _campaigns[next(iter(_campaigns))]
    _end_idle_machines_now_and_then(dask_worker)
    return threads, ""


def work(task: object, digest: str, packed: bytes) -> bytes:
    """Do jobs in turn; return how many seconds they took, and the results, pickled.

    Return nothing when this worker does not have the kernel.
    """
    campaign = _campaigns.get(digest)
    if campaign is None:
        return b""
    jobs: tuple[Job, ...] = pickle.loads(packed)  # noqa: S301 - whoever reaches a cluster is trusted
    bench = _benches.setdefault(threading.current_thread(), _Bench())
    with bench.lock:
        bench.task = task
        started = time.monotonic()
        try:
            results = [_do(job, campaign, bench.pool) for job in jobs]
        finally:
            bench.used = time.monotonic()
    return pickle.dumps((bench.used - started, results))


def _do(job: Job, campaign: _Campaign, pool: Pool) -> Result | Delivery:
    if not isinstance(job, Shrink):
        return do(job, campaign.subject, pool)
    with scratch_folder(Path(get_worker().local_directory), "finding-") as folder:
        finding = do(replace(job, folder=folder), campaign.subject, pool)
        assert isinstance(finding, Finding)
        names = {str(folder): str(job.folder), **campaign.names}
        return Delivery(finding, pack_folder(folder, names))


def _given_up() -> bool:
    """Whether nobody waits for what this thread is at: a client that has gone is not asked."""
    task = get_worker().state.tasks.get(_benches[threading.current_thread()].task)
    return task is None or task.state == "cancelled"


def _end_idle_machines_now_and_then(worker: Any) -> None:
    name = "mm-harness-idle"
    if name not in worker.periodic_callbacks:
        callback = PeriodicCallback(end_idle_machines, _LOOK_SECONDS * 1000)
        worker.periodic_callbacks[name] = callback
        callback.start()


def end_idle_machines() -> None:
    """End the machines of threads that have had no task for a while, or have ended."""
    for thread, bench in list(_benches.items()):
        if bench.lock.acquire(blocking=False):
            try:
                if time.monotonic() - bench.used > IDLE_SECONDS:
                    bench.pool.close()
                if not thread.is_alive():
                    bench.pool.close()
                    del _benches[thread]
            finally:
                bench.lock.release()
