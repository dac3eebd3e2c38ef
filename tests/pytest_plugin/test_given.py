"""Property tests with machines: settings, guests of an example, and what is said of a failure."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path

import pytest

from harness.machine.saved_guest import load_guest
from tests.pytest_plugin.conftest import Run
from tests.pytest_plugin.test_failure import reports, section

pytestmark = pytest.mark.slow

HEAD = """
import os
from datetime import timedelta
from pathlib import Path
from hypothesis import HealthCheck, Phase, example, given, note, settings, strategies as st
from harness.fuzz.strategies import machine_specs
from harness.machine.spec import MachineSpec
from harness.maps.memory_map import MemoryMap
from harness.maps.region import Region
from harness.pytest_plugin.warm import KEPT
"""
GOOD = """
seen = set()

def qemus():
    found = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return {int(pid) for pid in found if "qemu" in Path(f"/proc/{pid}/comm").read_text()}

class TestMachines:
    @given(machine_specs(memory=16 << 20))
    @settings(max_examples=40)
    def test_warm_ones_are_reused(self, boot, spec):
        boot(spec).check()
        boot(memory="4M")
        now = qemus()
        assert len(now) <= KEPT + 2  # two guests at once, each of a pool of its own
        seen.update(now)

def test_few_processes_were_started():
    assert 2 <= len(seen) < 40

@given(machine_specs())
@settings(max_examples=3)
def test_settings_fit_machines(boot, spec):
    here = settings()
    assert (here.deadline, here.print_blob, here.report_multiple_bugs) == (None, True, False)
    assert Phase.explain not in here.phases
    assert set(here.suppress_health_check) == {HealthCheck.function_scoped_fixture}

@given(st.booleans())
@settings(max_examples=3, deadline=5000, suppress_health_check=[HealthCheck.too_slow])
def test_what_a_test_says_itself_wins(pool, choice):
    here = settings()
    assert (here.max_examples, here.deadline) == (3, timedelta(seconds=5))
    assert HealthCheck.too_slow in here.suppress_health_check

@given(st.booleans())
def test_others_have_what_hypothesis_has(choice):
    here = settings()
    assert here.deadline == timedelta(milliseconds=200)
    assert here.suppress_health_check == () and not here.print_blob

NOTHING = MemoryMap((Region(0, 4096, 2),))
seen_after = []

@given(st.sampled_from([NOTHING, MemoryMap.pc(8 << 20)]))
@example(NOTHING)
def test_a_machine_that_is_rightly_refused_is_not_looked_at(boot, map_):
    boot(map=map_, memory="8M")
    assert map_ != NOTHING
    seen_after.append(map_)

def test_and_others_are():
    assert seen_after

@pytest.mark.parametrize("mm_memory", ["4M", "8M"])
@pytest.mark.parametrize("word", ["a"])
@given(order=st.sampled_from([0, 1]))
def test_parameters(boot, mm_memory, word, order):
    with boot(append=word) as guest:
        guest.monitor.alloc(order=order)
"""


def test_each_example_has_machines_that_fit_and_are_warm(run: Run) -> None:
    result = run(HEAD + GOOD, "-W", "error")
    result.assert_outcomes(passed=9)


BAD = """
@given(machine_specs(memory=8 << 20))
@settings(max_examples=300)
def test_no_nvs(boot, spec):
    with open("tried", "a") as tried:
        print(spec.map.entries, file=tried)
    boot(memory="4M")
    boot(spec)
    assert not any(entry.type == 4 and entry.length for entry in spec.map.entries)
"""


def test_the_smallest_example_alone_is_reported_and_comes_first_next_time(
    user: pytest.Pytester, run: Run
) -> None:
    flags = ("--mm-artifacts=left", "--mm-cores=2", "-n", "1")
    result = run(HEAD + BAD, *flags)
    result.assert_outcomes(failed=1)
    report = reports(result.stdout.str())["test_no_nvs"]
    assert report.count("Failing test case:") == 1
    assert report.count("spec=MachineSpec(kernel=kernel,") == 1
    assert "@reproduce_failure(" in report
    assert report.count(": memory map ---") == 2  # of two machines, booted by one example
    drawn = section(report, "memory map", "machine 2")
    entries = [line for line in drawn.partition("in order")[0].splitlines() if "0x" in line]
    assert len(entries) <= 3
    assert any("ACPI NVS" in line for line in entries)

    (folder,) = (user.path / "left").iterdir()
    assert sorted(path.name for path in folder.iterdir()) == ["machine-1", "machine-2"]
    second = folder / "machine-2"
    assert len(load_guest(second / "memory.core").memory_map.entries) == len(entries)
    assert len(json.loads((second / "case.json").read_text())["case"]["map"]["entries"]) <= 3
    replay = next(line for line in report.splitlines() if " replay " in line and "-2/" in line)
    assert _run(replay, user.path) == 0  # the kernel is right, the test is not

    tried = (user.path / "tried").read_text().splitlines()
    (user.path / "tried").unlink()
    run(HEAD + BAD, *flags).assert_outcomes(failed=1)
    assert (user.path / "tried").read_text().splitlines()[0] == tried[-1]


def _run(command: str, folder: Path) -> int:
    return subprocess.run(shlex.split(command), cwd=folder, check=False, timeout=60).returncode


UNSAFE = """
@given(machine_specs())
def test_guest(guest, spec):
    pass

@given(machine_specs())
def test_own_fixture(tmp_path, boot, spec):
    pass

@given(machine_specs())
def test_no_kernel(spec):
    pass

@given(st.just(0))
def test_no_machine_in_the_example_that_fails(boot, number):
    assert number == 1
"""


def test_what_lives_on_from_example_to_example_is_still_complained_about(run: Run) -> None:
    result = run(HEAD + UNSAFE, "--mm-cores=0")
    result.assert_outcomes(failed=4)
    found = reports(result.stdout.str())
    assert "uses a function-scoped fixture 'guest'" in found["test_guest"]
    assert "uses a function-scoped fixture 'tmp_path'" in found["test_own_fixture"]
    assert "let the test take one of the fixtures boot" in found["test_no_kernel"]
    assert "machine" not in found["test_no_machine_in_the_example_that_fails"].partition("---")[2]


PROFILES = """
@given(st.booleans())
@settings(database=None)
def test_settings(pool, choice):
    here = settings()
    print("found", here.deadline, here.max_examples, settings.get_current_profile_name())

@given(st.booleans())
def test_without_machines(choice):
    print("other", settings().deadline, settings().max_examples)
"""
CONFTEST = """
from hypothesis import settings
settings.register_profile("mine", deadline=1234567, max_examples=7)
"""


def test_profiles_are_the_user_s(user: pytest.Pytester, run: Run) -> None:
    user.makeconftest(CONFTEST)
    said = run(HEAD + PROFILES, "-rP", "--hypothesis-profile=mine").stdout.str()
    assert "found 0:20:34.567000 7 mine" in said
    assert "other 0:20:34.567000 7" in said
    said = run(HEAD + PROFILES, "-rP", "--hypothesis-profile=machines").stdout.str()
    assert "found None 100 machines" in said
    assert "other None 100" in said
