"""The fixtures and all the places in which a machine's settings can be said."""

from __future__ import annotations

import pytest

from tests.pytest_plugin.conftest import Run

pytestmark = pytest.mark.slow

SUITE = """
import re
MIB = 1 << 20

def test_guest(guest, kernel):
    assert guest.kernel is kernel
    assert guest.spec.memory == 64 * MIB
    before = guest.state()
    block = guest.monitor.alloc(order=3)
    assert block % (8 * 4096) == 0
    assert guest.diff(before)
    guest.check()

def test_console(guest):
    guest.console.send("version\\r")
    assert guest.wait_for_line("^ok version=")

def test_machine(machine):
    with machine.boot() as guest:
        assert guest.console.log.text() == ""
        assert guest.run_until_ready().alive
        guest.check()

def test_guests_at_once(boot):
    guests = [boot(memory="16M"), boot(memory="16M", append="some words"), boot(memory="8M")]
    blocks = [guest.monitor.alloc(order=0) for guest in guests]
    for guest in guests:
        guest.check()
    assert [guest.spec.memory // MIB for guest in guests] == [16, 16, 8]

def test_guests_in_turn(boot):
    for _ in range(20):
        with boot(memory="4M") as guest:
            guest.monitor.alloc(order=0)

@pytest.mark.machine(memory="32M", cpu="486", fill="zero")
class TestMarkers:
    @pytest.mark.machine(memory="16M", append="words", icount=True)
    def test_the_closest_wins(self, machine):
        spec = machine.spec
        assert (spec.memory, spec.cpu, spec.append, spec.icount) == (16 * MIB, "486", "words", True)
        assert spec.fill.kind.value == "zero"

    def test_of_the_class(self, machine):
        assert machine.spec.memory == 32 * MIB

@pytest.mark.parametrize("mm_memory", ["2M", "4M"])
@pytest.mark.machine(memory="32M")
def test_own_parameters(machine, mm_memory):
    assert f"{machine.spec.memory // MIB}M" == mm_memory

@pytest.mark.parametrize("cpu", [pytest.param("486", marks=pytest.mark.machine(cpu="486"))])
def test_mark_of_a_parameter(machine, cpu):
    assert machine.spec.cpu == cpu

@pytest.mark.machine(memory=["16M", "64M"], map="hole15M: 0-9fc00 ram, 1M-15M ram, 16M-63M ram",
                     boot="direct")
def test_ids(guest):
    assert guest.memory_map.usable_regions()[-1].end <= guest.spec.memory
    guest.check()

@pytest.mark.machine(preset=["helios", "oct"], memory="16M")
def test_presets(guest, kernel, request):
    assert ("LAYOUT", "identity") in kernel.variables or "helios" in request.node.name
    guest.check()

def test_fixtures_of_settings(mm_memory, mm_cpu, mm_icount):
    assert (mm_memory, mm_cpu, mm_icount) == ([], [], False)
"""
TESTS = {
    *("test_guest", "test_console", "test_machine", "test_guests_at_once", "test_guests_in_turn"),
    *("test_the_closest_wins", "test_of_the_class", "test_fixtures_of_settings"),
    *("test_own_parameters[2M]", "test_own_parameters[4M]", "test_mark_of_a_parameter[486]"),
    *("test_ids[16M-hole15M-direct]", "test_ids[64M-hole15M-direct]"),
    *("test_presets[helios-16M]", "test_presets[oct-16M]"),
}


def test_every_place_in_which_a_machine_is_described(run: Run) -> None:
    result = run(SUITE, "-v")
    result.assert_outcomes(passed=len(TESTS))
    said = result.stdout.str()
    assert {test for test in TESTS if f"::{test} PASSED" in said} == TESTS


def test_flags_and_the_ini_file_are_what_tests_without_a_marker_get(
    user: pytest.Pytester, run: Run
) -> None:
    user.makeini("[pytest]\nmm_memory = 4M\nmm_cpu =\n    486\n    486,-pse\nmm_icount = true\n")
    suite = """
def test_defaults(machine):
    spec = machine.spec
    assert (spec.memory >> 20, spec.icount, spec.fill.seed) == (8, True, 5)

@pytest.mark.machine(memory="16M", cpu="qemu32", icount=False)
def test_marker(machine):
    spec = machine.spec
    assert (spec.memory >> 20, spec.cpu, spec.icount) == (16, "qemu32", False)
"""
    result = run(suite, "-v", "--mm-memory", "8M", "--mm-fill=random:5")
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["*test_defaults?486? PASSED*", "*test_defaults?486,-pse? PASSED*"])


MISTAKES = [
    ("@pytest.mark.machine(memoy='1M')\ndef test(guest): pass", "*did you mean memory?*"),
    ("@pytest.mark.machine('1M')\ndef test(guest): pass", "*arguments by name only*"),
    ("@pytest.mark.machine(map='ibm')\ndef test(guest): pass", "*no memory map is called*"),
    ("@pytest.mark.machine(map='0-9 foo')\ndef test(guest): pass", "*expected a type*"),
    ("@pytest.mark.machine(memory='many')\ndef test(guest): pass", "*is no size*"),
    ("@pytest.mark.machine(memory='1K')\ndef test(guest): pass", "*impossible size*"),
    ("@pytest.mark.machine(preset='x')\ndef test(guest): pass", "*no preset 'x'*helios*"),
    ("@pytest.mark.machine(kernel='x')\ndef test(guest): pass", "*no such kernel*"),
    ("def test(boot): boot(memory=['1M', '2M'])", "*several values*"),
    ("def test(boot): boot(kernel='x')", "*decides what is built*"),
    ("def test(boot): [boot(memory='2M') for _ in range(9)]", "*8 guests at once*"),
]
"""Suites of one test, and what is said of each."""


def test_what_is_wrong_is_said_without_a_traceback(user: pytest.Pytester) -> None:
    for number, (suite, _) in enumerate(MISTAKES):
        user.makepyfile(**{f"test_mistake{number}": f"import pytest\n{suite}\n"})
    flags = ("--continue-on-collection-errors", "--mm-artifacts=/dev/null/folder")
    result = user.runpytest_subprocess("-p", "no:cacheprovider", *flags)
    outcomes = result.parseoutcomes()
    assert outcomes["errors"] + outcomes["failed"] == len(MISTAKES)
    messages = [message for _, message in MISTAKES]
    result.stdout.fnmatch_lines_random([*messages, "could not be written: *Not a directory*"])
    assert "Traceback" not in result.stdout.str()
    assert "During handling of the above exception" not in result.stdout.str()
    assert "machine_spec" not in result.stdout.str()
