"""The table of heaps: which one is in charge, and the console's way to it."""

from __future__ import annotations

import pytest

from harness.check.checked_guest import CheckedGuest
from harness.machine.ending import EndingKind
from harness.pytest_plugin.machine import MachineUnderTest
from tests.kernel.session import Session

pytestmark = pytest.mark.machine(memory="16M")


@pytest.fixture
def small(guest: CheckedGuest) -> Session:
    return Session(guest)


def test_kmalloc_is_the_default(small: Session) -> None:
    assert small.ok("heap").values["heap"] == "kmalloc"
    block = small.ok("heap alloc 100").number("virtual")
    assert small.ok("heap").number("bytes") == 100
    small.ok(f"heap check {block:#x}")
    small.assert_sound()
    small.ok(f"heap free {block:#x}")
    assert small.ok("heap").text.startswith("heap=kmalloc blocks=0 bytes=0 frames=0")
    assert small.error(f"heap check {block:#x}") == "state"
    small.assert_sound()


def test_a_check_says_what_is_wrong(small: Session) -> None:
    block = small.ok("heap alloc 100").number("virtual")
    answer = small.guest.monitor.command(f"heap check {block + 8:#x}")
    assert answer.text == f"state: {block + 8:#010x}: not the start of a live block"
    small.ok(f"write {block - 4:#x} 1")
    answer = small.guest.monitor.command(f"heap check {block:#x}")
    assert answer.text == f"state: {block:#010x}: its header is overwritten"
    small.ok("heap check 0")


@pytest.mark.parametrize("command", ["heap alloc", "heap alloc x", "heap grow 1", "heap free 1 2"])
def test_a_command_that_is_none(small: Session, command: str) -> None:
    assert small.error(command) == "usage"


def test_no_room_is_an_error(small: Session) -> None:
    assert small.error("heap alloc 0") == "memory"
    assert small.error("heap alloc 0x10000000") == "memory"
    small.ok("heap free 0")


@pytest.mark.parametrize("name", ["kmallo", "", "kmalloc2"])
def test_an_unknown_name_panics_with_those_that_there_are(
    machine: MachineUnderTest, name: str
) -> None:
    ending = machine.boot(append=f"heap={name}").run_until_ready()
    assert ending.kind is EndingKind.PANIC
    assert ending.message is not None
    assert ending.message.startswith(f"no heap '{name}': there are kmalloc")
