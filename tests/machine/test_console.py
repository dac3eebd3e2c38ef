"""The console: lines by whatever bytes they come in, and pexpect beside them."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pexpect
import pytest

from harness.check.checked_guest import CheckedGuest
from harness.image.kernel_image import KernelImage
from harness.machine.console import LINE_LIMIT, Console
from harness.machine.ending import EndingKind
from harness.machine.errors import GuestEnded
from harness.machine.pool import Pool
from harness.machine.spec import MachineSpec


@pytest.fixture
def line() -> Iterator[tuple[Console, socket.socket]]:
    """Give a console and the other end of its line."""
    ours, theirs = socket.socketpair()
    with theirs:
        console = Console(ours)
        yield console, theirs
        console.close()


def test_lines_come_byte_by_byte(line: tuple[Console, socket.socket]) -> None:
    console, uart = line
    seen = []
    for byte in "one\r\ntwö\nthree".encode():
        uart.send(bytes([byte]))
        seen += list(console.lines())
    assert seen == ["one", "twö"]
    assert console.log.text() == "one\ntwö\nthree"
    uart.send(b"!\n")
    assert list(console.lines()) == ["three!"]


def test_a_line_without_end_is_one_at_its_limit(line: tuple[Console, socket.socket]) -> None:
    console, uart = line
    uart.sendall(b"x" * LINE_LIMIT)
    assert list(console.lines()) == []
    uart.sendall(b"x")
    assert list(console.lines()) == ["x" * (LINE_LIMIT + 1)]


def test_bytes_that_are_no_text_stop_nothing(line: tuple[Console, socket.socket]) -> None:
    console, uart = line
    uart.send(b"\xff\xfe ready\n")
    assert list(console.lines()) == ["\ufffd\ufffd ready"]


def test_the_other_side_hangs_up(line: tuple[Console, socket.socket]) -> None:
    console, uart = line
    uart.send(b"last")
    uart.close()
    assert list(console.lines()) == []
    console.receive()
    assert console.hung_up
    assert console.tail() == "last"
    with pytest.raises(pexpect.EOF):
        console.spawn.expect("more", timeout=5)


def test_pexpect_meets_a_prompt_and_the_log_has_it_all(kernel: KernelImage, pool: Pool) -> None:
    prompt = kernel.description.monitor.prompt
    guest = pool.boot(MachineSpec(kernel, 32 << 20))
    assert guest.run_until_ready().kind is EndingKind.READY
    guest.console.spawn.expect_exact(prompt, timeout=5)
    guest.console.send("#7 help\r")
    guest.console.spawn.expect(r"#7 ok .*\n", timeout=5)
    guest.console.spawn.expect_exact(prompt, timeout=5)
    with pytest.raises(pexpect.TIMEOUT):
        guest.console.spawn.expect("nothing more", timeout=0.1)
    assert guest.console.log.text().count(prompt) == 2
    assert guest.monitor.require("help").ok


@pytest.mark.machine(memory="16M")
def test_a_prompt_and_a_line_are_expected_and_a_guest_s_end_is_not_waited_out(
    guest: CheckedGuest,
) -> None:
    console = guest.console
    assert console.expect("^mm> $") == "mm> "
    console.send("version\r")
    assert console.expect('^ok version=.*"\\S+"').endswith('"')
    assert console.expect("mm> ") == "mm> "
    assert guest.monitor.alloc(order=0)
    with pytest.raises(GuestEnded, match="not done after") as caught:
        console.expect("never", timeout=0.1)
    assert caught.value.ending.kind is EndingKind.HANG


@pytest.mark.machine(memory="16M")
def test_what_is_expected_in_vain_of_a_panicking_guest_tells_of_the_panic(
    guest: CheckedGuest,
) -> None:
    guest.console.send("crash page-fault\r")
    with pytest.raises(GuestEnded) as caught:
        guest.console.expect("never")
    assert caught.value.ending.kind is EndingKind.PANIC
