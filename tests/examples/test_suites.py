"""The suites that the example kernels bring, run as their authors would: in their folders."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.reader import TOP, shell_environment

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("name", "fewest"), [("frame-stack", 7), ("pae", 15)])
def test_the_suite_passes(name: str, fewest: int, tmp_path: Path) -> None:
    options = ["-q", "-p", "no:cacheprovider", f"--basetemp={tmp_path}"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options],
        cwd=TOP / "examples" / name,
        env=shell_environment(),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    *_, last = done.stdout.splitlines()
    assert int(last.split()[0]) >= fewest
    assert " passed in " in last
