"""A long campaign on a sound kernel: memory that must not grow, time that must not run out."""

from __future__ import annotations

import contextlib
import multiprocessing
import shutil
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from harness.bench.measurement import CORES, Measurement, all_cores
from harness.fuzz.campaign import Plan, run_campaign
from harness.fuzz.job import HANG
from harness.fuzz.store import open_store
from harness.fuzz.subject import Subject
from harness.image.kernel_image import KernelImage
from harness.machine.errors import MachineError

MEMORY = 64 << 20
CASES = 100_000
WORKERS_A_CORE = 2
"""So that each has to wait for the others: a deadline that heeds the wall clock would run out."""
LOOK_SECONDS = 5.0
TENTH = 10
"""Of a worker's looks, those that are compared; one with fewer looks than this has no tenth."""
FIGURES = ("fuzz_memory_growth", "fuzz_wrong_timeouts")


def measure(kernel: KernelImage) -> list[Measurement]:
    """Judge 100,000 cases without tapes, and look at the workers' memory on the way.

    Raise :class:`MachineError` when no worker lived long enough to tell whether its memory grows.
    """
    silent = replace(kernel, description=replace(kernel.description, tape=None))
    jobs = WORKERS_A_CORE * len(CORES)
    plan = Plan(Subject(silent), MEMORY, jobs=jobs, most_cases=CASES)
    looks: dict[int, list[int]] = defaultdict(list)
    looked = started = time.monotonic()
    with (
        all_cores(),
        _folder() as folder,
        open_store(folder) as store,
        contextlib.closing(run_campaign(plan, store)) as states,
    ):
        for progress in states:
            counts, findings = progress.counts, progress.findings
            if time.monotonic() - looked < LOOK_SECONDS:
                continue
            looked = time.monotonic()
            for worker in multiprocessing.active_children():
                if worker.pid is not None:
                    looks[worker.pid].append(sum(_own_bytes(pid) for pid in _family(worker.pid)))
    seconds = time.monotonic() - started
    groups = [finding.group for finding in findings]
    details = {
        "cases": float(counts.cases),
        "impossible": float(counts.impossible),
        "lost": float(counts.lost),
        "findings": float(len(groups)),
        "workers": float(jobs),
        "cases/s": counts.cases / seconds,
    }
    details |= {f"{folder}: {group}": 1.0 for group in groups}
    timeouts = float(sum(group.startswith(HANG) for group in groups))
    long = [taken for taken in looks.values() if len(taken) >= TENTH]
    if not long:
        raise MachineError(
            f"fuzz_memory_growth cannot be measured: in {seconds:.0f} s, {counts.cases} cases, no "
            f"worker lived for {TENTH} looks at its memory, {LOOK_SECONDS:g} s apart; let it judge "
            f"more cases, or find out why {counts.lost} were lost"
        )
    growth, kept = _growth(long)
    return [
        Measurement("fuzz_memory_growth", growth, "times", 1.1, False, details | kept),
        Measurement("fuzz_wrong_timeouts", timeouts, "kinds", 0, False, details),
    ]


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """Give a folder, which stays if something was found: on a sound kernel that is worth a look."""
    folder = Path(tempfile.mkdtemp(prefix="endurance-"))
    try:
        yield folder
    finally:
        if not any(folder.glob("findings/*")):
            shutil.rmtree(folder)


def _growth(looks: list[list[int]]) -> tuple[float, dict[str, float]]:
    """Return how much more memory any worker has at the end than after a tenth of the time."""
    worst, details = 0.0, {}
    for taken in looks:
        part = len(taken) // TENTH
        early = statistics.median(taken[part : 2 * part])
        late = statistics.median(taken[-part:])
        if late / early > worst:
            worst = late / early
            details = {"early MiB": early / (1 << 20), "late MiB": late / (1 << 20)}
    return worst, details


def _family(pid: int) -> Iterator[int]:
    """Yield a process and the QEMUs that it has started (proc(5), ``children``)."""
    yield pid
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text()
        yield from map(int, children.split())


def _own_bytes(pid: int) -> int:
    """Return the memory that a process shares with none; guest RAM, which is shared, is not."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) << 10
    return 0
