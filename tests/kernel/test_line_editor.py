"""The console as a person meets it: keys in, characters out."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.image.kernel_image import KernelImage
from harness.machine.ending import EndingKind
from harness.machine.guest import Guest
from harness.machine.pool import Pool
from harness.machine.spec import MachineSpec

LEFT, RIGHT, UP, DOWN = "\x1b[D", "\x1b[C", "\x1b[A", "\x1b[B"
HOME, END, DELETE = "\x1b[H", "\x1b[F", "\x1b[3~"
LINE_LIMIT = 255


@pytest.fixture(scope="module")
def guest(kernel: KernelImage) -> Iterator[Guest]:
    """One machine for all keys: each line is answered before the next is typed."""
    with Pool() as pool, pool.boot(MachineSpec(kernel, 16 << 20)) as booted:
        assert booted.run_until_ready().kind is EndingKind.READY
        yield booted


def answer(guest: Guest, keys: str) -> str:
    """Type keys that end in one line; return its answer."""
    guest.console.send(keys)
    return guest.wait_for_line(r"^(#\d+ )?(ok|error)( |$)")


@pytest.mark.parametrize(
    "keys",
    [
        pytest.param("cmx\x08dline\r", id="backspace"),
        pytest.param("cmx\x7fdline\r", id="del"),
        pytest.param("nonsense\x15cmdline\r", id="ctrl-u"),
        pytest.param("some words\x17\x17cmdline\r", id="ctrl-w"),
        pytest.param("mdline\x01c\r", id="ctrl-a"),
        pytest.param("mdlin" + HOME + "c" + END + "e\r", id="home and end"),
        pytest.param("cmdlin\x01\x05e\r", id="ctrl-e"),
        pytest.param("cdlne" + LEFT * 4 + "m" + RIGHT * 2 + "i\r", id="left and right"),
        pytest.param("cmdlinex" + LEFT + DELETE + "\r", id="delete"),
        pytest.param("cmdline rest" + LEFT * 5 + "\x0b\r", id="ctrl-k"),
        pytest.param("half a line\x03cmdline\r", id="ctrl-c"),
        pytest.param("x" * 2 * LINE_LIMIT + "\x15cmdline\r", id="too long, then erased"),
        pytest.param("x" * 2 * LINE_LIMIT + "\x03cmdline\r", id="too long, then abandoned"),
        pytest.param("cmd\x0cline\r", id="ctrl-l"),
        pytest.param("cmd\t\r", id="tab"),
        pytest.param("cmd\x02\x06\x00line\r", id="ignored control characters"),
        pytest.param("cmdé\x1b[200~line\r", id="unknown bytes and sequences"),
        pytest.param("cmdline\n", id="line feed"),
        pytest.param("\x1b\rcmdline\r", id="a lone escape eats no line end"),
    ],
)
def test_a_key_does_what_a_person_expects(guest: Guest, keys: str) -> None:
    assert answer(guest, keys) == 'ok cmdline="kernel.elf"'


def test_history_goes_up_and_down(guest: Guest) -> None:
    answer(guest, "#1 cpu\r")
    answer(guest, "#2 version\r")
    assert answer(guest, UP + UP + DOWN + "\r").startswith("#2 ok version=")
    assert answer(guest, UP + UP + "\r").startswith("#1 ok features=")


def test_carriage_return_and_line_feed_are_one_line_end(guest: Guest) -> None:
    answer(guest, "cpu\r\n")
    before = guest.console.log.text().count("mm> ")
    answer(guest, "cpu\r\n")
    answer(guest, "cpu\r")
    assert guest.console.log.text().count("mm> ") - before in (2, 3)


def test_tab_lists_what_a_name_may_become(guest: Guest) -> None:
    guest.console.send("pe\x15p\t")
    choices = guest.wait_for_line(r"\bpeek\b")
    assert {"peek", "poke"} <= set(choices.split())
    assert all(name.startswith("p") for name in choices.split())
    answer(guest, "\x15cpu\r")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("#7", "#7 error usage: "),
        ("#7x cpu", "error usage: "),
        ("#1 #2 cpu", "#1 error usage: "),
        ("#007 cpu", "#007 ok "),
        ("frobnicate", "error unknown: "),
        ("read 0x100000000", "error usage: "),
        ("read twelve", "error usage: "),
        ("read", "error usage: "),
        ("cpu " + "x " * 16, "error usage: "),
        ("#5 " + "y" * (LINE_LIMIT + 1), "#5 error usage: "),
        ("z" * LINE_LIMIT, "error unknown: "),
    ],
)
def test_a_wrong_line_is_answered_with_an_error(guest: Guest, line: str, expected: str) -> None:
    assert answer(guest, line + "\r").startswith(expected)


def test_an_empty_line_has_no_answer(guest: Guest) -> None:
    answer(guest, "#1 cpu\r")
    before = guest.console.log.text()
    assert answer(guest, "\r  \r#2 cpu\r").startswith("#2 ok")
    lines = guest.console.log.text()[len(before) :].splitlines()
    assert sum("ok " in line or "error " in line for line in lines) == 1


def test_many_lines_at_once_are_each_answered(guest: Guest) -> None:
    guest.console.send("".join(f"#{tag} cpu\r" for tag in range(100, 200)))
    for tag in range(100, 200):
        assert guest.wait_for_line(r"^#\d+ ok").startswith(f"#{tag} ok")
