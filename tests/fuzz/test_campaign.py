"""Campaigns on the kernel with a bug planted in it: found, made small, and not lost."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
from pathlib import Path

import pytest

from harness.fuzz.attempt import attempt
from harness.fuzz.campaign import Plan, Progress, run_campaign
from harness.fuzz.case_file import load_case
from harness.fuzz.finding import CASE, FIRST, known_groups, unfinished
from harness.fuzz.store import Store, StoreError, open_store
from harness.fuzz.subject import Subject
from harness.image.kernel_image import KernelImage
from harness.machine.pool import Pool
from tests.fuzz.bugs import rounds_the_start_down
from tests.kernel.planted import SourceCopy

pytestmark = pytest.mark.slow

MEMORY = 16 << 20
CASES = 108
"""Half of them are a plain PC and the library's maps."""


def campaign(kernel: KernelImage, folder: Path, cases: int, jobs: int = 1) -> Progress:
    with open_store(folder) as store:
        *_, last = run_campaign(Plan(Subject(kernel), MEMORY, jobs=jobs, most_cases=cases), store)
        return last


def test_a_bug_is_found_made_small_and_written_down(
    source_copy: SourceCopy, pool: Pool, tmp_path: Path
) -> None:
    wrong = rounds_the_start_down(source_copy)
    progress = campaign(wrong, tmp_path, 60)
    found = [one for one in progress.findings if one.group.startswith("firmware-map.extra")]
    assert all(len(finding.attempt.case.map.entries) <= 3 for finding in found)
    folders = {str(load_case(path).group): path.parent for path in tmp_path.glob(f"*/*/{CASE}")}
    finding = found[0]
    folder = folders[finding.group]
    names = {path.name for path in folder.iterdir()}
    assert names >= {CASE, FIRST, "finding.txt", "test_finding.py", "console.log", "memory.core"}
    again = attempt(load_case(folder / CASE).case, wrong, pool)
    assert again.group == finding.group


@pytest.fixture(scope="module")
def ran(kernel: KernelImage, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a campaign that is past the maps it begins with."""
    folder = tmp_path_factory.mktemp("campaign")
    progress = campaign(kernel, folder, CASES)
    assert progress.counts.cases == progress.done == CASES
    assert progress.kept == len(list(folder.glob("corpus/*.json")))
    assert progress.findings == []
    assert progress.features > 50
    return folder


def test_the_same_seed_and_one_job_give_the_same_cases(
    kernel: KernelImage, ran: Path, tmp_path: Path
) -> None:
    campaign(kernel, tmp_path, CASES)
    with open_store(ran) as one, open_store(tmp_path) as two:
        kept = list(one.corpus())
        assert list(two.corpus()) == kept
    assert len(kept) > 20


def test_a_campaign_goes_on_where_it_was(kernel: KernelImage, ran: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(ran, tmp_path / "campaign")
    with open_store(folder) as store:
        before = list(store.corpus())
    second = campaign(kernel, folder, 20)
    assert second.counts.cases == CASES + 20
    with open_store(folder) as store:
        assert second.kept == len(list(store.corpus()))
        assert list(store.corpus())[: len(before)] == before
        counts = store.counts()
        assert counts is not None
        assert counts.cases == CASES + 20


def test_what_was_noted_and_not_made_small_is_made_small_next_time(
    source_copy: SourceCopy, tmp_path: Path
) -> None:
    wrong = rounds_the_start_down(source_copy)
    with open_store(tmp_path) as store:
        states = run_campaign(Plan(Subject(wrong), MEMORY), store)
        noted = next(state for state in states if known_groups(store.findings))
        states.close()  # as Ctrl-C does
        assert noted.findings == []
        assert len(list(unfinished(store.findings))) == 1
    progress = campaign(wrong, tmp_path, 1)
    assert len(progress.findings) == 1
    with open_store(tmp_path) as store:
        assert list(unfinished(store.findings)) == []


def test_a_worker_that_dies_costs_its_case_alone(kernel: KernelImage, tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        states = run_campaign(Plan(Subject(kernel), MEMORY, most_cases=12), store)
        next(states)
        [worker] = multiprocessing.active_children()
        worker.kill()
        *_, progress = states
    assert progress.counts.lost == 1
    assert progress.done == 11


def test_a_qemu_that_dies_is_no_finding_of_the_kernel_s(
    kernel: KernelImage, tmp_path: Path
) -> None:
    with open_store(tmp_path) as store:
        states = run_campaign(Plan(Subject(kernel), MEMORY, most_cases=12), store)
        next(states)
        [worker] = multiprocessing.active_children()
        for machine in _machines_of(worker.pid or 0):
            os.kill(machine, signal.SIGKILL)
        *_, progress = states
    assert progress.findings == []
    assert progress.counts.cases == 12


def _machines_of(worker: int) -> list[int]:
    return [
        int(word) for word in Path(f"/proc/{worker}/task/{worker}/children").read_text().split()
    ]


def test_two_campaigns_do_not_share_a_folder(tmp_path: Path) -> None:
    with (
        open_store(tmp_path),
        pytest.raises(StoreError, match="another campaign is at work"),
        open_store(tmp_path),
    ):
        pass


def test_the_campaign_of_another_kernel_is_not_gone_on_with(
    kernel: KernelImage, identity_kernel: KernelImage, tmp_path: Path
) -> None:
    campaign(kernel, tmp_path, 1)
    with pytest.raises(StoreError, match="holds the campaign of another kernel"):
        campaign(identity_kernel, tmp_path, 1)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        (tmp_path / "corpus" / "000000.json").write_text("{")
        with pytest.raises(StoreError, match=r"000000\.json is damaged"):
            list(Store(store.folder).corpus())
