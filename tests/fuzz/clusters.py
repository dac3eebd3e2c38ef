"""Clusters of separate processes on this machine, as a user starts them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

DASK = Path(sys.executable).with_name("dask")
START_SECONDS = 60.0
_MARK = "HARNESS_TEST_WORKER"


class Cluster:
    """A scheduler, and workers by their names; see :func:`cluster`."""

    def __init__(self, folder: Path, processes: ExitStack) -> None:
        self._folder, self._processes = folder, processes
        self.file = folder / "scheduler.json"
        # On loopback only, at a port that is free.
        local = ("--host", "127.0.0.1", "--no-dashboard", "--scheduler-file", str(self.file))
        self._local = local
        self.scheduler = self._start("scheduler", "--port", "0", *local)
        self.address = self._wait_for_address()

    def _start(self, *words: str, mark: str = "") -> subprocess.Popen[bytes]:
        log = (self._folder / f"{words[0]}{mark}.log").open("wb")
        process = subprocess.Popen(
            [DASK, *words],
            stdout=log,
            stderr=log,
            cwd=self._folder,
            env={**os.environ, _MARK: mark},
        )
        self._processes.callback(process.wait)
        self._processes.callback(process.kill)
        self._processes.callback(log.close)
        return process

    def add_worker(self, mark: str, *words: str) -> subprocess.Popen[bytes]:
        """Start a worker whose processes have ``mark`` in their environment."""
        alone = ("--no-nanny", "--local-directory", str(self._folder), *words)
        return self._start("worker", *self._local, *alone, mark=mark)

    def _wait_for_address(self) -> str:
        deadline = time.monotonic() + START_SECONDS
        while not self.file.exists():
            assert self.scheduler.poll() is None, (self._folder / "scheduler.log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)  # it tells nobody when it has written its file
        return str(json.loads(self.file.read_text())["address"])


def mark_of(worker: str) -> str:
    """Return what stands in the environment of a worker and of its machines."""
    return f"{_MARK}={worker}\0"


@contextmanager
def cluster(folder: Path) -> Iterator[Cluster]:
    """Start a scheduler; at the end it and all workers are gone."""
    with ExitStack() as processes:
        yield Cluster(folder, processes)
