"""Several test processes, and processes that end before their time."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.image.build import build_directory
from harness.image.description import load_description
from tests.machine import kernels
from tests.processes import left_after_a_while, marked
from tests.pytest_plugin.conftest import Run

pytestmark = pytest.mark.slow

DESCRIPTION = """
name = "counted"
[build]
command = ["sh", "-c", "echo built >> {source}/log; cp {source}/kernel.elf {build}/kernel.elf"]
image = "kernel.elf"
[console]
ready = '^ready'
"""


def test_a_kernel_is_built_once_whatever_the_number_of_processes(
    user: pytest.Pytester, run: Run, request: pytest.FixtureRequest
) -> None:
    kernels.assemble(user.path, kernels.READY)
    (user.path / "harness.toml").write_text(DESCRIPTION)
    built = build_directory(load_description(user.path / "harness.toml"), {})
    request.addfinalizer(lambda: shutil.rmtree(built, ignore_errors=True))
    request.addfinalizer(lambda: Path(f"{built}.lock").unlink(missing_ok=True))
    suite = """
@pytest.mark.parametrize("number", range(6))
def test(guest, number):
    assert guest.kernel.description.name == "counted"
"""
    run(suite, "-n", "2", "--junitxml=junit.xml").assert_outcomes(passed=6)
    assert (user.path / "log").read_text() == "built\n"
    assert (user.path / "junit.xml").read_text().count('name="mm_kernel"') == 6


WAITING = """
import time

def test(boot):
    guests = [boot(memory="4M"), boot(memory="8M")]
    print("begun", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_when_pytest_is_ended(
    user: pytest.Pytester, ending: signal.Signals
) -> None:
    user.makepyfile(test_suite=WAITING)
    mark = f"HARNESS_TEST_MARK={user.path}"
    command = [sys.executable, "-m", "pytest", "-s", "-q", "-p", "no:cacheprovider"]
    environment = dict([*os.environ.items(), mark.split("=")])
    with subprocess.Popen(
        command, cwd=user.path, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert any("begun" in line for line in iter(process.stdout.readline, ""))
        assert sum("qemu-system" in one for one in marked(mark)) == 2
        process.send_signal(ending)
        process.communicate(timeout=20)
    assert left_after_a_while(mark) == []
