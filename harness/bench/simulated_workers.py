"""Many workers of a cluster in one process, without machines: ``python -m`` this, for a bench.

They are real workers, connected as others are. In place of booting a case they wait as long as that
takes, and give a result that some case had.
"""

from __future__ import annotations

import asyncio
import pickle
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import replace
from itertools import count
from pathlib import Path

from distributed import Worker

from harness.fuzz import cluster_worker
from harness.fuzz.attempt import Attempt
from harness.fuzz.case import Case


def simulated(
    samples: list[Attempt], case_seconds: float
) -> Callable[[object, str, bytes], Awaitable[bytes]]:
    """Return what takes the place of :func:`harness.fuzz.cluster_worker.work`."""
    numbers = count()

    async def work(task: object, digest: str, packed: bytes) -> bytes:
        jobs: tuple[Case, ...] = pickle.loads(packed)  # noqa: S301 - of the bench that started us
        seconds = case_seconds * len(jobs)
        results = [replace(samples[next(numbers) % len(samples)], case=job) for job in jobs]
        await asyncio.sleep(seconds)
        return pickle.dumps((seconds, results))

    return work


async def run(scheduler: str, workers: int, case_seconds: float, samples: Path) -> None:
    """Be ``workers`` workers until the scheduler ends."""
    attempts = pickle.loads(samples.read_bytes())  # noqa: S301 - of the bench that started us
    # Tasks name it, and find this one.
    cluster_worker.work = simulated(attempts, case_seconds)  # type: ignore[assignment]
    with tempfile.TemporaryDirectory() as folder:
        many = [
            Worker(
                scheduler,
                nthreads=1,
                local_directory=folder,
                dashboard=False,
                memory_limit=0,
                host="127.0.0.1",
            )
            for _ in range(workers)
        ]
        await asyncio.gather(*many)
        await asyncio.gather(*(one.finished() for one in many))


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), Path(sys.argv[4])))
