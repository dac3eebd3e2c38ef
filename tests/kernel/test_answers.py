"""The monitor's answers: one line each, and values in quotes that can be read back."""

from __future__ import annotations

import re

import pytest

from harness.image.kernel_image import KernelImage
from harness.machine.ending import EndingKind
from harness.machine.pool import Pool
from harness.machine.spec import MachineSpec
from tests.kernel.session import MIB, Session, booted

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
def test_a_command_line_can_be_read_back(kernel: KernelImage, pool: Pool, words: str) -> None:
    with booted(kernel, pool, append=words) as session:
        assert command_line(session) == f"kernel.elf {words}"


def test_a_line_end_in_the_command_line_ends_no_answer(kernel: KernelImage, pool: Pool) -> None:
    spec = MachineSpec(kernel, 16 * MIB, append="two?lines")
    with pool.boot(spec) as guest:
        place = next(place for place in guest.placements if place.name == "command line")
        line = guest.ram.read(place.start, place.length)
        guest.ram.write(place.start, line.replace(b"?", b"\n"))
        assert guest.run_until_ready().kind is EndingKind.READY
        assert command_line(Session(guest)) == "kernel.elf two\nlines"


def test_every_command_says_how_it_is_used(kernel: KernelImage, pool: Pool) -> None:
    with booted(kernel, pool) as session:
        commands = session.ok("help").values["commands"].split(",")
        assert commands == sorted(commands)
        for name in commands:
            usage = re.match(r'usage="([^"]*)" text="[^"]+"$', session.ok(f"help {name}").text)
            assert usage is not None
            if name != "crash":  # which says more: the ways to do it
                answer = session.guest.monitor.command(f"{name} {MANY}")
                assert answer.text == f"usage: too many arguments: {usage[1]}"
