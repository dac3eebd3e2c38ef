"""A cluster on this machine to measure: a scheduler, and workers of both kinds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

_LOCAL = ("--host", "127.0.0.1", "--no-dashboard")
_START_SECONDS = 300.0


class LocalCluster:
    """See :func:`local_cluster`."""

    def __init__(self, folder: Path, processes: ExitStack) -> None:
        self._folder, self._processes = folder, processes
        file = folder / "scheduler.json"
        words = ("dask", "scheduler", *_LOCAL, "--port", "0", "--scheduler-file", str(file))
        self._scheduler = self._start(*words)
        deadline = time.monotonic() + _START_SECONDS
        while not file.exists():
            if self._scheduler.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("dask's scheduler does not start")
            time.sleep(0.05)  # it tells nobody when it is there
        self.address = str(json.loads(file.read_text())["address"])

    def _start(self, *words: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-m", *words],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self._folder,
        )
        self._processes.callback(process.wait)
        self._processes.callback(process.kill)
        return process

    def add_worker(self) -> None:
        """Start a worker with one thread."""
        folder = ("--local-directory", str(self._folder))
        self._start("dask", "worker", self.address, *_LOCAL, "--nthreads", "1", *folder)

    def add_simulated(self, workers: int, case_seconds: float, samples: bytes) -> None:
        """Start a process of many workers that only wait as long as a case takes."""
        file = self._folder / "samples"
        file.write_bytes(samples)
        words = (self.address, str(workers), str(case_seconds), str(file))
        self._start("harness.bench.simulated_workers", *words)

    def wait_for_workers(self, workers: int) -> None:
        """Wait until there are so many; raise ``TimeoutError``."""
        from distributed import Client

        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(workers, timeout=_START_SECONDS)

    def scheduler_seconds(self) -> float:
        """Return the CPU time that the scheduler has used (proc(5))."""
        stat = Path(f"/proc/{self._scheduler.pid}/stat").read_text()
        user, system = stat.rsplit(")", 1)[1].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


@contextmanager
def local_cluster() -> Iterator[LocalCluster]:
    """Start a scheduler on loopback; at the end it and all workers are gone."""
    with ExitStack() as processes:
        folder = processes.enter_context(tempfile.TemporaryDirectory())
        yield LocalCluster(Path(folder), processes)
