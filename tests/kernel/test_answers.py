"""The monitor's answers: one line each, and values in quotes that can be read back."""

from __future__ import annotations

import re

import pytest

from harness.check.checked_guest import CheckedGuest
from harness.pytest_plugin.fixtures import Boot
from harness.pytest_plugin.machine import MachineUnderTest
from tests.kernel.session import Session

pytestmark = pytest.mark.machine(memory="16M")

QUOTED = re.compile(r'^cmdline="((?:[^"\\]|\\["\\]|\\x[0-9a-f]{2})*)"$')
MANY = " ".join(str(number) for number in range(1, 16))
"""As many arguments as a line may have."""
ESCAPE = re.compile(r'\\(?:x([0-9a-f]{2})|(["\\]))')


def command_line(session: Session) -> str:
    """Return what the kernel says its command line is, read back by the documented grammar."""
    found = QUOTED.match(session.ok("cmdline").text)
    assert found is not None
    return ESCAPE.sub(lambda escape: escape[2] or chr(int(escape[1], 16)), found[1])


@pytest.mark.parametrize(
    "words",
    [
        pytest.param("plain words", id="nothing to escape"),
        pytest.param('say "hi there"', id="quotes"),
        pytest.param('C:\\x22 a\\"b\\\\', id="backslashes"),
        pytest.param('"' * 1000, id="nothing but quotes"),
    ],
)
def test_a_command_line_can_be_read_back(boot: Boot, words: str) -> None:
    assert command_line(Session(boot(append=words))) == f"kernel.elf {words}"


@pytest.mark.machine(append="two?lines")
def test_a_line_end_in_the_command_line_ends_no_answer(machine: MachineUnderTest) -> None:
    guest = machine.boot()
    place = next(place for place in guest.placements if place.name == "command line")
    line = guest.ram.read(place.start, place.length)
    guest.ram.write(place.start, line.replace(b"?", b"\n"))
    assert guest.run_until_ready().alive
    assert command_line(Session(guest)) == "kernel.elf two\nlines"


def test_every_command_says_how_it_is_used(guest: CheckedGuest) -> None:
    session = Session(guest)
    commands = session.ok("help").values["commands"].split(",")
    assert commands == sorted(commands)
    for name in commands:
        usage = re.match(r'usage="([^"]*)" text="[^"]+"$', session.ok(f"help {name}").text)
        assert usage is not None
        if name != "crash":  # which says more: the ways to do it
            answer = guest.monitor.command(f"{name} {MANY}")
            assert answer.text == f"usage: too many arguments: {usage[1]}"
