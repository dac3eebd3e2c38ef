"""What a failed test says and leaves behind."""

from __future__ import annotations

import json
import shlex
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from harness.image.kernel_image import KernelImage
from harness.machine.saved_guest import load_guest
from tests.pytest_plugin.conftest import Run

pytestmark = pytest.mark.slow

SUITE = """
import os, signal
from pathlib import Path
from harness.maps.memory_map import MemoryMap
from harness.maps.region import Region

@pytest.mark.machine(memory="16M", map="hole: 0-9fc00 ram, 1M-7M ram, 8M-16M ram")
def test_panic(guest):
    guest.monitor.require("crash page-fault")

@pytest.mark.machine(memory="8M", append="two words")
def test_check(guest):
    block = guest.monitor.alloc(order=0)
    guest.monitor.require(f"poke {guest.spec.kernel.image_range().start:#x} 0")
    guest.check()

def qemus():
    found = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return [int(pid) for pid in found if "qemu" in Path(f"/proc/{pid}/comm").read_text()]

def test_qemu_dies(guest):
    for pid in qemus():
        os.kill(pid, signal.SIGKILL)
    guest.monitor.alloc(order=0)

def test_the_next_one(guest):
    guest.monitor.alloc(order=0)
    guest.check()

@pytest.mark.machine(memory="4M")
def test_hang(guest):
    guest.monitor.command("crash halt", timeout=2)

def test_no_machine():
    assert 1 == 2

def test_maps():
    first = MemoryMap((Region(0, 0x9FC00, 1), Region(1 << 20, 1 << 20, 1)), name="first")
    assert first == MemoryMap((Region(0, 0x9F000, 1), Region(1 << 20, 1 << 20, 1)), name="second")
"""


def reports(text: str) -> dict[str, str]:
    """Return the part of pytest's output that is about each failed test."""
    parts: dict[str, list[str]] = {}
    name = ""
    for line in text.splitlines():
        if line.startswith("____") and line.endswith("____"):
            name = line.strip("_ ")
        elif line.startswith("===="):
            name = ""
        parts.setdefault(name, []).append(line)
    return {name: "\n".join(lines) for name, lines in parts.items()}


def section(report: str, title: str, machine: str = "machine") -> str:
    """Return the text of one section about a machine of a report."""
    lines = report.splitlines()
    start = next(i for i, line in enumerate(lines) if line.strip("- ") == f"{machine}: {title}")
    rest = lines[start + 1 :]
    end = next((i for i, line in enumerate(rest) if line.startswith("-----")), len(rest))
    return "\n".join(rest[:end])


def test_a_failure_explains_itself(run: Run, user: pytest.Pytester, kernel: KernelImage) -> None:
    flags = ("--mm-artifacts=left", "--mm-fill=zero", "--mm-cores=2")
    result = run(SUITE, "--junitxml=junit.xml", *flags)
    result.assert_outcomes(passed=1, failed=6)
    found = reports(result.stdout.str())

    panic = found["test_panic"]
    assert "panic: page fault at 0x00000004" in section(panic, "how it ended")
    assert "16M, map hole, direct, qemu32, zero" in section(panic, "how it ended")
    assert "crash_page_fault" in section(panic, "backtrace")
    assert "cr2=00000004" in section(panic, "registers")
    assert "panic: end" in section(panic, "console")
    assert "0x000000700000-0x000000800000  (gap)" in section(panic, "memory map")
    assert section(panic, "violations") == "none"
    again = section(panic, "reproduce").splitlines()
    assert again[0].endswith(" ".join(("pytest test_suite.py::test_panic", *flags)))
    assert "harness run --memory 16M --map 'hole: 0-9fc00 usable," in again[1]

    assert "contents." in section(found["test_check"], "violations")
    assert "--append 'two words'" in section(found["test_check"], "reproduce")
    assert "It had not ended" in section(found["test_check"], "how it ended")
    assert "monitor_run" in section(found["test_check"], "backtrace")

    assert "killed by SIGKILL" in section(found["test_qemu_dies"], "how it ended")
    assert "ready: " in section(found["test_qemu_dies"], "console")
    assert "hang: halted with interrupts off in crash_halt" in found["test_hang"]
    assert "machine:" not in found["test_no_machine"]
    assert "- 0x000000000000-0x00000009fc00" in found["test_maps"]
    assert "name: 'first' and 'second'" in found["test_maps"]

    _see_artifacts(user.path / "left")
    _see_properties(user.path / "junit.xml", kernel)


def _see_artifacts(left: Path) -> None:
    folders = {folder.name.split("-")[1]: folder for folder in left.iterdir()}
    assert set(folders) == {"test_panic", "test_check", "test_qemu_dies", "test_hang"}
    panic = folders["test_panic"]
    assert (panic / "console.log").read_text().startswith("kernel: starting\n")
    assert "harness run --memory 16M" in (panic / "command-line.txt").read_text()
    assert "crash_page_fault" in (panic / "report.txt").read_text()
    assert json.loads((panic / "spec.json").read_text())["memory"] == 16 << 20
    assert load_guest(panic / "memory.core").memory_map.usable_bytes == 0x9FC00 + (14 << 20)
    cores = {name for name, folder in folders.items() if (folder / "memory.core").exists()}
    assert cores == {"test_panic", "test_check"}  # of one there is no QEMU, and two are enough


def _see_properties(path: Path, kernel: KernelImage) -> None:
    cases = {case.get("name"): case for case in ElementTree.parse(path).iter("testcase")}
    properties = {one.get("name"): one.get("value") for one in cases["test_panic"].iter("property")}
    assert properties.pop("mm_qemu", "").count(".") == 2
    assert properties == {
        "mm_map": "hole",
        "mm_memory": "16M",
        "mm_boot": "direct",
        "mm_kernel": kernel.digest,
    }
    assert list(cases["test_no_machine"].iter("property")) == []


LATE = """
import pytest

@pytest.fixture
def late(guest):
    yield
    guest.monitor.require("crash page-fault")

@pytest.mark.parametrize("name", ["a/b c"])
def test_late(late, name):
    pass
"""


def test_what_is_printed_does_it_again(
    user: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of the last test's tear-down, started in another folder than the ini file's."""
    folder = user.mkdir("sub")
    (folder / "test_suite.py").write_text(LATE)
    monkeypatch.chdir(folder)
    flags = ("-o", "mm_memory=4M", "--mm-fill", "zero", "--mm-cores=0", "--mm-artifacts=left")
    result = user.runpytest_subprocess("-p", "no:cacheprovider", *flags, "--mm-strict", ".")
    result.assert_outcomes(passed=1, errors=1)
    found = reports(result.stdout.str())["ERROR at teardown of test_late[a/b c]"]
    assert "panic: page fault" in section(found, "how it ended")
    assert [path.name.rpartition("-")[0] for path in (folder / "left").iterdir()] == [
        "test_suite.py-test_late-a-b-c"
    ]

    same_test, same_machine = section(found, "reproduce").splitlines()
    assert same_test.endswith(shlex.join([*flags, "--mm-strict"]))
    assert "4M, no map of its own, direct, qemu32, zero" in _run(same_test, 1)
    assert "1 machine: 1 good" in _run(same_machine, 0)


def _run(command: str, status: int) -> str:
    done = subprocess.run(
        shlex.split(command), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


FLAKY = """
def test_flaky(request, boot):
    if request.config.stash.setdefault("first", True):
        request.config.stash["first"] = False
        boot(memory="4M")
    assert False
"""
TWICE = """
from _pytest.runner import runtestprotocol

def pytest_runtest_protocol(item, nextitem):
    runtestprotocol(item, log=False, nextitem=nextitem)
"""


def test_a_second_run_of_a_test_knows_nothing_of_the_machines_of_its_first(
    user: pytest.Pytester, run: Run
) -> None:
    """As plugins for flaky tests run them."""
    user.makeconftest(TWICE)
    result = run(FLAKY)
    result.assert_outcomes(failed=1)
    assert "machine:" not in result.stdout.str()
