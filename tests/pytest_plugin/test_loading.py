"""The plugin in the pytest of somebody who does not use it."""

from __future__ import annotations

import subprocess
import sys

from tests.pytest_plugin.conftest import Run

SECONDS = 0.05
"""Of CPU time that loading may cost."""

PROGRAM = """
import sys, time
import pytest, difflib, contextlib
before = set(sys.modules)
start = time.process_time()
import harness.pytest_plugin
for name in harness.pytest_plugin.pytest_plugins:
    __import__(name)
print(time.process_time() - start)
print(*sorted(set(sys.modules) - before))
"""


def load() -> tuple[float, set[str]]:
    said = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=60
    ).stdout.splitlines()
    return float(said[0]), set(said[1].split())


def test_loading_costs_little_and_brings_nothing_else() -> None:
    seconds, modules = min(load() for _ in range(3))
    assert {name.rpartition(".")[0] for name in modules} <= {"", "harness", "harness.pytest_plugin"}
    assert {name for name in modules if "." not in name} == {"harness"}
    assert seconds < SECONDS


def test_a_suite_without_machines_sees_nothing_of_it(run: Run) -> None:
    suite = """
import sys

def test_nothing_is_loaded(tmp_path):
    ours = {name for name in sys.modules if name.startswith("harness.")}
    assert all(name.startswith("harness.pytest_plugin") for name in ours)
    assert not {"numpy", "construct", "elftools", "click"} & set(sys.modules)

def test_failing():
    assert [1] == [2]

@pytest.fixture
def guest():
    return "mine"

def test_own_fixture_of_the_same_name(guest):
    assert guest == "mine"
"""
    result = run(suite, "--strict-markers", "-W", "error")
    result.assert_outcomes(passed=2, failed=1)
    assert "machine:" not in result.stdout.str()


def test_it_can_be_left_out(run: Run) -> None:
    result = run("def test(guest): pass", "-p", "no:mm_harness")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*fixture 'guest' not found*"])
