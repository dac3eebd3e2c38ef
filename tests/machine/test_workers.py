"""Worker processes end when they are told to, however inconvenient the moment."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.machine.pool import Pool
from harness.machine.workers import share_out
from tests.processes import begun, left_after_a_while

IN_A_FINALISER = """
import os, signal, time
from harness.machine.workers import work_through

class Slow:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
        sum(range(1000))  # Python heeds signals between two steps

def work(item, pool):
    Slow()
    time.sleep(60)

left = iter(["item"])
print([type(result).__name__ for _, result in work_through(lambda: next(left, None), work, 1)])
"""

BUSY = """
import time
from harness.machine.workers import work_through

class Slow:
    def __del__(self):
        time.sleep(60)

def work(item, pool):
    Slow()
    time.sleep(60)

def ask(given=[]):
    if len(given) == 2:
        print("begin", flush=True)
    given.append(1)
    return len(given)

for _ in work_through(ask, work, 3):
    pass
"""


def test_a_worker_told_to_end_in_a_finaliser_ends() -> None:
    """Python drops what is raised there."""
    done = subprocess.run(
        [sys.executable, "-c", IN_A_FINALISER],
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    assert done.stdout == "['WorkerLost']\n"
    assert done.stderr == ""


@pytest.mark.parametrize("between", [0.0, 0.05, 0.1, 0.3, 0.5])
def test_a_second_interrupt_leaves_no_worker(tmp_path: Path, between: float) -> None:
    mark = f"HARNESS_TEST_MARK={tmp_path}"
    environment = {**os.environ, **dict([mark.split("=")])}
    with begun([sys.executable, "-c", BUSY], environment) as process:
        process.send_signal(signal.SIGINT)
        select.select([], [], [], between)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=10)
    assert left_after_a_while(mark) == []


def affinities(jobs: int) -> list[frozenset[int]]:
    """Return the cores that each of ``jobs`` processes may use."""
    found = share_out([0.2] * jobs, _affinity, jobs)
    return [cores for _, cores in found]


def _affinity(seconds: float, pool: Pool) -> frozenset[int]:
    select.select([], [], [], seconds)  # the others take the other items
    return frozenset(os.sched_getaffinity(0))


def test_one_process_a_core_keeps_to_its_own() -> None:
    here = os.sched_getaffinity(0)
    found = affinities(len(here))
    assert all(len(cores) == 1 for cores in found)
    assert set().union(*found) == here


def test_more_or_fewer_processes_go_where_there_is_room() -> None:
    here = os.sched_getaffinity(0)
    assert affinities(len(here) + 1) == [frozenset(here)] * (len(here) + 1)
