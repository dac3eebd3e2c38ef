"""Campaigns on disks that are full, in folders that are gone, and killed between two writes."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from harness.fuzz import finding as finding_module
from harness.fuzz.attempt import attempt
from harness.fuzz.campaign import Plan, run_campaign
from harness.fuzz.case import Case
from harness.fuzz.case_file import load_case
from harness.fuzz.finding import (
    CASE,
    CORE,
    FIRST,
    TEXT,
    Finding,
    known_groups,
    note_finding,
    unfinished,
    write_finding,
)
from harness.fuzz.shrink import Shrunk
from harness.fuzz.store import CannotWrite, Counts, StoreError, open_store
from harness.fuzz.subject import Subject
from harness.image.kernel_image import KernelImage
from harness.machine.errors import MachineError
from harness.machine.machine import Machine
from harness.machine.pool import Pool
from harness.machine.spec import MachineSpec
from harness.maps.memory_map import MemoryMap
from harness.maps.region import Region
from tests.fuzz.bugs import rounds_the_start_down
from tests.kernel.planted import SourceCopy

pytestmark = pytest.mark.slow

HARNESS = Path(sys.executable).with_name("harness")
MEMORY = 16 << 20
MIB = 1 << 20
ODD = MemoryMap((Region(0, 0x9F000, 1), Region(MIB, 6 * MIB, 1), Region(8 * MIB + 9, MIB, 1)))
OWN_MOUNTS = ("unshare", "--user", "--map-root-user", "--mount")
SECONDS = 120


@cache
def own_mounts() -> str | None:
    """Return why no file system of our own can be mounted, None where it can."""
    if shutil.which("unshare") is None:
        return "unshare is not installed: apt-get install util-linux"
    words = (*OWN_MOUNTS, "mount", "-t", "tmpfs", "-o", "size=1m", "none", "/mnt")
    tried = subprocess.run(words, capture_output=True, text=True, check=False)
    return None if tried.returncode == 0 else f"no mounts of our own: {tried.stderr.strip()}"


@pytest.fixture
def small_disk(tmp_path: Path) -> Callable[[str], str]:
    """Run a shell script in a folder ``disk`` that holds 400 KiB; return what it printed."""
    if why := own_mounts():
        pytest.skip(why)
    (tmp_path / "disk").mkdir()

    def run(script: str) -> str:
        mounted = f"cd {tmp_path}; mount -t tmpfs -o size=400k none disk; {textwrap.dedent(script)}"
        words = (*OWN_MOUNTS, "bash", "-c", mounted)
        return subprocess.run(
            words, capture_output=True, text=True, check=True, timeout=SECONDS
        ).stdout

    return run


def test_a_full_disk_ends_a_campaign_with_its_data_intact(
    small_disk: Callable[[str], str],
) -> None:
    fuzz = f"{HARNESS} fuzz --jobs 1 --memory 16M --folder disk/campaign"
    said = small_disk(f"""
        {fuzz} --cases 1000 2>&1 >/dev/null | grep '^harness: '; echo code ${{PIPESTATUS[0]}}
        {fuzz} --resume 2>&1 >/dev/null; echo still full $?
        find disk -name '.*' -type f
        mount -o remount,size=64m disk
        kept=$(ls disk/campaign/corpus | wc -l)
        {fuzz} --cases 3 --resume --json; echo code $?
        echo kept $kept, $(ls disk/campaign/corpus | wc -l)
    """)
    sentence, first, *_ = said.splitlines()
    assert sentence.startswith("harness: cannot write to disk/campaign/")
    assert "No space left on device; make room there, and go on with --resume" in sentence
    assert first == "code 3"
    assert "still full 3" in said
    assert ".json." not in said
    assert ".spare" not in said
    assert "\ncode 0\nkept " in said
    assert '"findings": 0' in said


def test_what_is_found_on_a_full_disk_is_noted(small_disk: Callable[[str], str]) -> None:
    script = """
        from pathlib import Path
        from harness.fuzz.store import CannotWrite, Counts, open_store
        try:
            filler = open("disk/filler", "wb", buffering=0)
            with open_store(Path("disk")) as store:
                try:
                    while filler.write(bytes(4096)) == 4096:
                        pass
                except OSError as error:
                    print(error.strerror)
                folder = store.finding_folder("a bug")
                try:
                    store.write(folder / "first-case.json", "the case" * 1000)
                finally:
                    store.write_counts(Counts("a kernel", 0, cases=7))
        except CannotWrite as error:
            print(error)
        print(len((folder / "first-case.json").read_text()))
        filler.close()
        Path("disk/filler").unlink()
        with open_store(Path("disk")) as store:
            print(store.counts().cases)
    """
    said = small_disk(f"{sys.executable} -c '{textwrap.dedent(script)}'")
    full, sentence, case, counts = said.splitlines()
    assert full == "No space left on device"
    assert "first-case.json: No space left on device" in sentence
    assert (case, counts) == ("8000", "7")


def test_a_folder_that_is_gone_ends_a_campaign_in_a_sentence(
    kernel: KernelImage, tmp_path: Path
) -> None:
    with open_store(tmp_path / "campaign") as store:
        states = run_campaign(Plan(Subject(kernel), MEMORY, most_cases=40), store)
        next(states)
        shutil.rmtree(tmp_path / "campaign")
        with pytest.raises(CannotWrite, match="put the campaign's folder back, or begin another"):
            list(states)


def test_a_folder_that_nobody_may_write_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotWrite, match=r"write to .*file: it is no folder"):
        open_store(tmp_path / "file").__enter__()


def test_a_file_system_without_locks_is_not_taken_for_another_campaign(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", no_locks)
    with pytest.raises(StoreError, match=r"cannot lock .*: No locks available; take another"):
        open_store(tmp_path).__enter__()


def killed_at(write: int, work: Callable[[], None]) -> bool:
    """Do some work in a process that kills itself before its n-th write; whether it came there."""
    child = os.fork()
    if child == 0:
        try:
            left = [write]

            def counted(path: Path, text: str) -> None:
                left[0] -= 1
                if left[0] == 0:
                    (path.parent / f".{path.name}.abcdefgh").write_text(text[: len(text) // 2])
                    os.kill(os.getpid(), signal.SIGKILL)
                really(path, text)

            really, finding_module.write_atomically = finding_module.write_atomically, counted
            work()
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def test_a_finding_whose_writer_is_killed_at_any_write_is_completed_once(
    source_copy: SourceCopy, pool: Pool, tmp_path: Path
) -> None:
    wrong = rounds_the_start_down(source_copy)
    case = Case(MEMORY, ODD)
    first = attempt(case, wrong, pool)
    assert first.group is not None
    found = Finding(first.group, first, Shrunk(case, 1), first, 1.0)
    complete: list[bool] = []

    def write(folder: Path) -> None:
        with Pool() as own:
            write_finding(folder, found, wrong, own)

    for number in range(1, 20):
        top = tmp_path / str(number)
        with open_store(top) as store:
            store.write_counts(Counts(wrong.digest, 0, cases=1))
            folder = store.finding_folder(first.group)
            note_finding(folder, first, wrong, store.write)
            killed = killed_at(number, lambda folder=folder: write(folder))
        with open_store(top) as store:
            assert known_groups(store.findings) == {first.group}
            left = list(unfinished(store.findings))
            assert [one for one, _ in left] == ([] if (folder / CASE).exists() else [folder])
            assert not list(folder.glob(".*"))
            complete.append(not left)
            if left:
                assert load_case(folder / FIRST).case == case
                write_finding(folder, found, wrong, pool)
            assert list(unfinished(store.findings)) == []
            assert len(list(store.findings.iterdir())) == 1
            assert (folder / TEXT).read_text().startswith(first.group)
            assert (folder / CORE).stat().st_size > MEMORY
        if not killed:
            break
    assert complete == sorted(complete)
    assert 4 <= complete.index(True) <= number - 2  # the rest is who is to blame


def test_a_host_without_memory_is_told_of(kernel: KernelImage) -> None:
    """Of 3 GiB of RAM nothing is used before QEMU starts, so this takes none."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30))
            Machine(MachineSpec(kernel, 3 << 30)).boot()
        except MachineError as error:
            code = 0 if "no memory left for a machine with 3072 MiB" in str(error) else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
