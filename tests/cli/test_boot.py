"""``harness boot``: the console in a terminal, as a person types at it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from tests.cli.conftest import HARNESS, Run
from tests.machine import kernels

pytestmark = pytest.mark.slow

CTRL_BRACKET = "\x1d"
UP = "\x1b[A"


@pytest.fixture
def terminal() -> Iterator[pexpect.spawn]:
    """A pseudo-terminal with ``harness boot`` at the kernel's prompt."""
    child = pexpect.spawn(str(HARNESS), ["boot", "--memory", "16M"], encoding="utf-8", timeout=20)
    child.expect("ready: .*mm> ")
    yield child
    child.close(force=True)


def status(child: pexpect.spawn) -> int | None:
    child.expect(pexpect.EOF)
    child.close()
    return child.exitstatus


def test_a_command_and_its_answer(terminal: pexpect.spawn) -> None:
    terminal.send("#3 alloc 0\r")
    terminal.expect(r"#3 ok physical=0x[0-9a-f]+ order=0")


def test_keys_reach_the_line_editor(terminal: pexpect.spawn) -> None:
    terminal.send("bogus\x15zone nor\x7f\x7f\x7fall\r")
    terminal.expect("ok zone=all")
    terminal.send(UP + "\r")
    terminal.expect("ok zone=all")


def test_control_bracket_leaves(terminal: pexpect.spawn) -> None:
    terminal.send(CTRL_BRACKET)
    assert status(terminal) == 0


def test_control_c_is_the_guests(terminal: pexpect.spawn) -> None:
    terminal.send("crash panic\x03")
    terminal.send("zone all\r")
    terminal.expect("ok zone=all")


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("panic", "panic: asked for by the monitor"),
        ("triple", "triple fault: .*crash_triple.*crash.c:"),
        ("reset", "reset: the guest reset the machine"),
    ],
)
def test_the_end_of_the_machine_is_explained(
    terminal: pexpect.spawn, kind: str, words: str
) -> None:
    terminal.send(f"crash {kind}\r")
    terminal.expect(f"(?s)harness: the machine ended: {words}")
    assert status(terminal) == 1


def test_lines_from_a_pipe() -> None:
    answer = subprocess.run(
        [HARNESS, "boot", "--memory", "16M"],
        input="#1 zone all\n#2 nonsense\n",
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr
    assert "#1 ok zone=all" in answer.stdout
    assert "#2 error unknown" in answer.stdout


def test_the_screen_of_a_kernel_that_prints_there_is_shown_at_the_end(
    harness: Run, tmp_path: Path
) -> None:
    show = "mov $0xB8000, %edi\nmovl $0x07210748, (%edi)\n1: hlt\njmp 1b\n"
    kernels.assemble(tmp_path, show)
    (tmp_path / "harness.toml").write_text(
        '[build]\ncommand = ["cp", "{source}/kernel.elf", "{build}/kernel.elf"]\n'
        'image = "kernel.elf"\n[console]\ndevice = "screen"\nready = "H!"\n'
    )
    done = harness("boot", "--kernel", tmp_path, "--memory", "16M")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "kernel: first\nH!\n"  # from the serial port, then the screen
