"""Campaigns on a real cluster: separate processes that are killed, and that come later."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from harness.fuzz import cluster_error, cluster_link
from harness.fuzz.attempt import Attempt, attempt
from harness.fuzz.campaign import Plan, Progress, run_campaign
from harness.fuzz.case import Case
from harness.fuzz.case_file import load_case
from harness.fuzz.cluster import work_through_cluster
from harness.fuzz.cluster_error import ClusterError
from harness.fuzz.finding import CASE, FIRST, note_finding
from harness.fuzz.job import Job
from harness.fuzz.store import Counts, Kept, open_store
from harness.fuzz.subject import Source, Subject
from harness.image.kernel_image import KernelImage
from harness.machine.pool import Pool
from harness.machine.saved_guest import load_guest
from harness.machine.workers import WorkerLost
from harness.maps.memory_map import MemoryMap
from harness.maps.region import Region
from tests.cli.conftest import HARNESS
from tests.fuzz.bugs import rounds_the_start_down
from tests.fuzz.clusters import START_SECONDS, Cluster, cluster, mark_of
from tests.kernel.planted import SourceCopy
from tests.processes import left_after_a_while, marked

pytestmark = pytest.mark.slow

MEMORY = 16 << 20
PAST_SEEDS = 1000
"""Cases after which a campaign has no more of those that it begins with."""
INTERRUPTED = 130
TERMINATED = 143


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster with two workers, of one thread and of two."""
    with cluster(tmp_path_factory.mktemp("cluster")) as found:
        found.add_worker("one", "--nthreads", "1")
        found.add_worker("two", "--nthreads", "2")
        yield found


def campaign(
    kernel: KernelImage, folder: Path, cases: int, scheduler: Path | None, jobs: int | None = None
) -> Progress:
    plan = Plan(
        Subject(kernel), MEMORY, jobs=jobs, most_cases=cases, scheduler=str(scheduler or "") or None
    )
    with open_store(folder) as store:
        *_, last = run_campaign(plan, store)
        return last


def test_one_job_at_a_time_gives_the_same_cases_as_one_process(
    running: Cluster, kernel: KernelImage, tmp_path: Path
) -> None:
    kept: list[list[Kept]] = []
    for name, scheduler in (("near", None), ("far", running.file)):
        (tmp_path / name).mkdir()
        with open_store(tmp_path / name) as store:
            store.write_counts(Counts(kernel.digest, 0, cases=PAST_SEEDS))
        campaign(kernel, tmp_path / name, 16, scheduler, jobs=1)
        with open_store(tmp_path / name) as store:
            kept.append(list(store.corpus()))
    near, far = kept
    assert near == far
    assert len(near) > 5


def test_a_finding_comes_back_with_all_its_files(
    running: Cluster, source_copy: SourceCopy, pool: Pool, tmp_path: Path
) -> None:
    wrong = rounds_the_start_down(source_copy)
    usable = (Region(0, 0x9F000, 1), Region(0x100800, 0xDFF800, 1))
    case = Case(MEMORY, MemoryMap((*usable, Region(0xFFFC0000, 0x40000, 2))))
    first = attempt(case, wrong, pool)
    assert first.group is not None
    with open_store(tmp_path) as store:
        folder = store.finding_folder(first.group)
        note_finding(folder, Attempt(case, "finding", group=first.group), wrong)
    progress = campaign(wrong, tmp_path, 1, running.file)
    [finding] = [one for one in progress.findings if one.group == first.group]
    names = {path.name for path in folder.iterdir()}
    assert names >= {CASE, FIRST, "finding.txt", "test_finding.py", "console.log", "memory.core"}
    file = load_case(folder / CASE)
    assert file.kernel == load_case(folder / FIRST).kernel
    assert file.case == finding.attempt.case
    assert len(file.case.map.entries) <= 3
    assert attempt(file.case, wrong, pool).group == first.group
    text = (folder / "finding.txt").read_text()
    assert str(folder) in text
    assert f"replay {CASE}" in text
    assert load_guest(folder / "memory.core").kernel.contents == wrong.contents


@pytest.mark.parametrize(
    ("stop", "status", "last"),
    [(signal.SIGINT, INTERRUPTED, b"harness: interrupted\n"), (signal.SIGTERM, TERMINATED, b"")],
)
def test_a_stop_ends_it_and_the_cluster_is_free_again(
    running: Cluster, tmp_path: Path, stop: signal.Signals, status: int, last: bytes
) -> None:
    words = ("fuzz", "--memory", "16M", "--scheduler", running.file, "--folder", tmp_path / "fuzz")
    process = subprocess.Popen([HARNESS, *words], stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    deadline = time.monotonic() + START_SECONDS
    while not (tmp_path / "fuzz" / "campaign.json").exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    asked = time.monotonic()
    process.send_signal(stop)
    said, errors = process.communicate(timeout=30)
    assert time.monotonic() - asked < 5  # a second on a machine with nothing else to do
    assert process.returncode == status
    assert b"cases: " in said
    assert errors.endswith(last)
    assert b"Traceback" not in errors


def test_workers_of_another_program_are_not_used(
    running: Cluster, kernel: KernelImage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_link, "identity", lambda: "99.0 (00000000)")
    with pytest.raises(ClusterError, match=r"has harness .* and the campaign 99\.0 \(00000000\)"):
        campaign(kernel, tmp_path, 1, running.file)
    assert not (tmp_path / "campaign.json").exists()


def test_workers_may_be_killed_and_come_later(running: Cluster, kernel: KernelImage) -> None:
    plain = Case(MEMORY, MemoryMap.pc(MEMORY))
    given: list[Case] = []
    over = False

    def ask() -> Case | None:
        if over:
            return None
        given.append(replace(plain, append=f"number={len(given)}"))
        return given[-1]

    killed, late = running.add_worker("killed", "--nthreads", "1"), None
    done: list[Job] = []
    lost: list[Job] = []
    with closing(
        work_through_cluster(ask, Subject(kernel, Source.NONE), running.address, None)
    ) as results:
        for result in results:
            assert isinstance(result, tuple)
            job, became = result
            (lost if isinstance(became, WorkerLost) else done).append(job)
            if late is None and _machines("killed"):
                killed.kill()
                late = running.add_worker("late", "--nthreads", "1")
            if late is not None and len(done) % 16 == 0:
                over = over or _machines("late") != []
    assert over
    assert len(lost) <= 1
    assert sorted(map(repr, done + lost)) == sorted(map(repr, given))  # nothing twice
    assert left_after_a_while(mark_of("killed")) == []


def _machines(worker: str) -> list[str]:
    return [words for words in marked(mark_of(worker)) if "qemu-system" in words.split(" ")[0]]


def test_without_workers_it_waits_and_without_a_scheduler_it_ends(
    kernel: KernelImage, tmp_path: Path
) -> None:
    with cluster(tmp_path) as empty, open_store(tmp_path / "fuzz") as store:
        states = run_campaign(Plan(Subject(kernel), MEMORY, scheduler=empty.address), store)
        progress = next(states)
        assert progress.notes == [f"waiting for workers: dask worker {empty.address} --nthreads 1"]
        empty.scheduler.kill()
        with pytest.raises(ClusterError, match="has gone; what was found is safe, and --resume"):
            next(states)


@pytest.mark.parametrize(
    ("scheduler", "sentence"),
    [
        ("tcp://127.0.0.1:1", "no scheduler has answered at tcp://127.0.0.1:1 in"),
        ("nonsense", "'nonsense' is neither a scheduler's address, such as tcp://127"),
        ("tls://127.0.0.1:1", "cannot connect to tls://127.0.0.1:1: TLS expects"),
    ],
)
def test_a_scheduler_that_is_not_there(
    kernel: KernelImage,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    scheduler: str,
    sentence: str,
) -> None:
    monkeypatch.setattr(cluster_link, "CONNECT_SECONDS", 0.2)
    with open_store(tmp_path) as store, pytest.raises(ClusterError, match=sentence):
        next(run_campaign(Plan(Subject(kernel), MEMORY, scheduler=scheduler), store))
    assert not (tmp_path / "campaign.json").exists()


NEAR = """
import sys
from harness.cli.group import cli
cli(["fuzz", "--cases", "1", "--jobs", "1", "--memory", "16M"], standalone_mode=False)
assert not {name.split(".")[0] for name in sys.modules} & {"dask", "distributed", "tornado"}
"""


def test_without_a_scheduler_nothing_of_dask_is_loaded(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", NEAR], cwd=tmp_path, check=True, timeout=100)


def test_without_dask_it_says_what_to_install(
    kernel: KernelImage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_error, "find_spec", lambda name: None)
    with open_store(tmp_path) as store, pytest.raises(ClusterError, match=r"mm-harness\[cluster\]"):
        next(run_campaign(Plan(Subject(kernel), MEMORY, scheduler="tcp://127.0.0.1:1"), store))
