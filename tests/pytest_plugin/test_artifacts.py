"""What a failed test leaves, and what its report has of machines out of the ordinary."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.fuzz.case_file import load_case
from tests.machine import kernels
from tests.machine.test_screen import IDLE, PRINT
from tests.pytest_plugin.conftest import Run
from tests.pytest_plugin.test_failure import reports

pytestmark = pytest.mark.slow

INI = "[pytest]\ntimeout = 60\nmm_artifacts = left\nmm_cores = 2\n"
DESCRIPTION = """
name = "on-screen"
[build]
image = "kernel.elf"
[console]
device = "screen"
ready = '^ready'
"""
SCREEN = "test_screen[kernels]"
SUITE = """
from harness.machine.spec import Module

@pytest.mark.machine(memory="2G")
def test_large(guest):
    assert False

@pytest.mark.machine(modules=[Module(b"data", "tape")], memory="4M")
def test_two(boot):
    boot()
    boot(memory="8M")
    assert False

@pytest.mark.machine(kernel="kernels/harness.toml")
def test_screen(machine):
    guest = machine.boot()
    assert guest.screen.wait_for_line("^VGA")
    assert False
"""


def test_several_machines_large_ones_and_screens(user: pytest.Pytester, run: Run) -> None:
    kernels.assemble(user.mkdir("kernels"), PRINT + IDLE)
    (user.path / "kernels" / "harness.toml").write_text(DESCRIPTION)
    user.makeini(INI)
    result = run(SUITE)
    result.assert_outcomes(failed=3)
    found = reports(result.stdout.str())

    two, large, screen = (found[name] for name in ("test_two", "test_large", SCREEN))
    assert two.count("(without modules, which the command line cannot say)") == 2
    assert "no core: the guest has more than 1G of RAM" in large
    assert "VGA kernel\n╔═╗☺" in screen.split("machine: screen")[1]
    assert "machine: violations" not in screen  # it has not got ready
    assert "no core: --mm-cores=2 have been left" in screen

    folder = _folder_of("test_two", user.path / "left")
    specs = [json.loads((one / "spec.json").read_text()) for one in sorted(folder.iterdir())]
    assert [spec["memory"] >> 20 for spec in specs] == [4, 8]
    assert len([*folder.glob("machine-*/memory.core")]) == 2

    # A core of the run before would be taken for this one's.
    run(SUITE, "--mm-cores=0", "-k", "test_two").assert_outcomes(failed=1, deselected=2)
    assert [*folder.glob("machine-*/*.core")] == []
    assert len([*folder.glob("machine-*/*")]) == 2 * 5
    case = load_case(folder / "machine-2" / "case.json").case
    assert (case.memory >> 20, [module.data for module in case.modules]) == (8, [b"data"])


def _folder_of(test: str, left: Path) -> Path:
    (folder,) = left.glob(f"test_suite.py-{test}-*")
    return folder
