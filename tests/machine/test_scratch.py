"""Folders for a while: gone after an interrupt at any call and any return."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from harness.machine.scratch import scratch_folder

PROGRAM = """
import multiprocessing, pathlib, signal, sys
from itertools import count
from harness.machine.scratch import scratch_folder

INTERRUPTED = 130
parent = pathlib.Path(sys.argv[1])

def interrupt_at(moment):
    calls = iter(range(moment))
    def profile(frame, event, argument):
        if next(calls, None) is None:
            sys.setprofile(None)
            signal.raise_signal(signal.SIGINT)
    return profile

def use(moment):
    sys.setprofile(interrupt_at(moment))
    try:
        with scratch_folder(parent, "making-") as folder:
            (folder / "tree").mkdir()
            (folder / "tree" / "file").touch()
        sys.setprofile(None)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)

for moment in count():
    process = multiprocessing.get_context("fork").Process(target=use, args=(moment,))
    process.start()
    process.join()
    assert list(parent.iterdir()) == [], moment
    if process.exitcode == 0:
        break
    assert process.exitcode == INTERRUPTED, moment
print(moment)
"""
"""Interrupts a process of its own at each call and each return, until there are no more."""


@pytest.mark.slow
def test_an_interrupt_at_any_moment_leaves_no_folder(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 50


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_inside_passes_through(tmp_path: Path, error: type[BaseException]) -> None:
    with pytest.raises(error), scratch_folder(tmp_path, "making-"):
        raise error
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_its_users_alone(tmp_path: Path) -> None:
    with scratch_folder(tmp_path, "making-") as folder:
        assert folder.stat().st_mode & 0o777 == 0o700
        assert folder.name.startswith("making-")
