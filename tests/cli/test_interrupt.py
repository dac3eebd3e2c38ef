"""Ctrl-C at any moment: a summary, exit code 130, and nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import HARNESS

pytestmark = pytest.mark.slow

INTERRUPTED = 130


def processes_of_session(leader: int) -> list[str]:
    """Return the command lines of all processes in a session, from /proc."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rsplit(")", 1)[1].split()
            # proc(5): behind the name come state, ppid, pgrp and session.
            # A zombie has ended; it waits for init to take note.
            if int(fields[3]) == leader and fields[0] not in "ZX":
                found.append((status.parent / "cmdline").read_text())
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended while we looked
    return found


def qemus() -> set[str]:
    """Return the process ids of every QEMU on this machine that this user started here."""
    found = set()
    for name in Path("/proc").glob("[0-9]*/comm"):
        try:
            if name.read_text().startswith("qemu-system"):
                environment = (name.parent / "environ").read_bytes()
                if b"HARNESS_TEST_MARK=" + str(os.getpid()).encode() in environment:
                    found.add(name.parent.name)
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return found


@pytest.mark.parametrize("jobs", ["1", "2"])
@pytest.mark.parametrize("after", [0.0, 0.3, 0.7, 1.1, 1.9])
def test_interrupt(tmp_path: Path, after: float, jobs: str) -> None:
    environment = {
        **os.environ,
        "TMPDIR": str(tmp_path),
        "HARNESS_TEST_MARK": str(os.getpid()),
    }
    process = subprocess.Popen(
        [HARNESS, "run", "--map", "all", "--boot", "direct,multiboot", "--jobs", jobs],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        text=True,
        start_new_session=True,
    )
    try:
        process.communicate(timeout=after)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGINT)
    said, errors = process.communicate(timeout=30)
    # Before Python itself is up there is nobody to say it better.
    unborn = "Fatal Python error: init" in errors
    assert unborn or process.returncode in (INTERRUPTED, -signal.SIGINT), errors
    assert unborn or "Traceback" not in errors or process.returncode == -signal.SIGINT
    assert processes_of_session(process.pid) == []
    assert qemus() == set()
    assert list(tmp_path.iterdir()) == [], said


DROPPED = """
import signal, sys, weakref
from harness.cli.interrupt import heed_stops, raise_lost_stop
class Thing: pass
heed_stops()
thing = Thing()
reference = weakref.ref(thing, lambda gone: signal.raise_signal(int(sys.argv[1])))
del thing
print("went on", flush=True)
raise_lost_stop()
"""
"""A signal where nobody could catch what it raises: in a callback of the garbage collection."""


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, -signal.SIGINT), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
)
def test_a_stop_that_python_drops_is_neither_lost_nor_shown(
    number: signal.Signals, code: int
) -> None:
    command = [sys.executable, "-c", DROPPED, str(int(number))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout == "went on\n"
    assert "Exception ignored" not in done.stderr
    assert ("KeyboardInterrupt" in done.stderr) == (number == signal.SIGINT)
    assert done.returncode == code


def test_nohup_goes_on_when_the_terminal_goes(tmp_path: Path) -> None:
    command = ["nohup", HARNESS, "fuzz", "--folder", tmp_path / "campaign", "--cases", "60"]
    with subprocess.Popen(
        [*command, "--jobs", "1", "--coverage", "none"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        said = next(line for line in process.stdout if "cases" in line)
        os.killpg(process.pid, signal.SIGHUP)
        said += process.stdout.read()
    assert process.returncode == 0, said
    assert " 0 lost;" in said
