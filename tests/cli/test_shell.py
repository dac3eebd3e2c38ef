"""``harness shell``, typed by a person on a terminal, and fed through a pipe."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pytest

from harness.debug.guest import DebuggedGuest
from tests.cli.conftest import HARNESS, Run
from tests.cli.test_interrupt import processes_of_session

SECONDS = 60
PROMPT = ">>> "
CTRL_C, CTRL_D, UP, TAB = "\x03", "\x04", "\x1b[A", "\t"

Start = Callable[..., "pexpect.spawn[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a shell on a terminal of its own, whose history is kept in the test's folder."""
    started: list[pexpect.spawn[str]] = []

    def spawn(*arguments: str) -> pexpect.spawn[str]:
        environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path), "TERM": "dumb"}
        shell = pexpect.spawn(
            str(HARNESS), ["shell", *arguments], env=environment, encoding="utf-8",
            timeout=SECONDS, echo=True, dimensions=(50, 200),
        )  # fmt: skip
        started.append(shell)
        shell.expect_exact("with guest, kernel, spec, machine; Ctrl-D leaves")
        shell.expect_exact(PROMPT)
        return shell

    yield spawn
    for shell in started:
        shell.close(force=True)


def ask(shell: pexpect.spawn[str], line: str) -> str:
    """Type a line; return what is printed up to the next prompt."""
    shell.sendline(line)
    shell.expect_exact(PROMPT)
    return (shell.before or "").partition("\n")[2].strip()


def leave(shell: pexpect.spawn[str]) -> int:
    """Leave as a person does, and return the exit code; nothing may be left running."""
    shell.send(CTRL_D)
    shell.expect(pexpect.EOF)
    shell.wait()
    assert processes_of_session(shell.pid) == []
    return int(shell.exitstatus or 0)


@pytest.mark.slow
def test_a_person_looks_at_a_live_guest(start: Start, tmp_path: Path) -> None:
    shell = start("--memory", "16M")
    assert ask(shell, "spec.memory >> 20") == "16"
    assert ask(shell, "guest.monitor.alloc(order=0) % 4096") == "0"
    assert ask(shell, "guest.debugger.evaluate('1 + 1')") == "2"
    said = ask(shell, "guest.debugger.evaluate('no_such_name')")
    assert said == 'GdbRefused: no_such_name: No symbol "no_such_name" in current context.'
    assert "ZeroDivisionError" in ask(shell, "1/0")

    shell.send("guest.debugger.disas" + TAB)
    shell.expect_exact("semble(")
    shell.sendline("'entry', count=1)[0].symbol")
    shell.expect_exact("'entry'")
    shell.expect_exact(PROMPT)

    shell.sendline("guest.wait_for_line('never printed')")
    shell.expect_exact("printed')\r\n")
    shell.send(CTRL_C)
    shell.expect_exact("KeyboardInterrupt")
    shell.expect_exact(PROMPT)
    assert ask(shell, "guest.monitor.alloc(order=0) % 4096") == "0"
    assert leave(shell) == 0

    kept = tmp_path / "mm-harness" / "shell-history"
    assert "spec.memory >> 20" in kept.read_text().splitlines()
    assert list(kept.parent.iterdir()) == [kept]


@pytest.mark.slow
def test_the_history_is_there_the_next_time(start: Start) -> None:
    shell = start("--memory", "16M", "--paused")
    assert ask(shell, "hex(guest.registers().eip)") == "'0xfff0'"  # the reset vector
    leave(shell)
    shell = start("--memory", "16M", "--paused")
    shell.send(UP)
    shell.expect_exact("hex(guest.registers().eip)")
    shell.sendline("")
    shell.expect_exact("'0xfff0'")
    leave(shell)


def test_lines_of_a_pipe_are_carried_out(harness: Run) -> None:
    program = (
        "for size in (8, 16):\n"
        "    address = guest.monitor.kmalloc(size=size)\n"
        "\n"
        "print(guest.debugger.evaluate(f'*((unsigned *){address:#x} - 2)'))\n"
        "guest.stop_before('no_such_function')\n"
        "print(kernel.path.name)\n"
    )
    done = subprocess.run(
        [HARNESS, "shell", "--memory", "16M"],
        input=program, capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    assert done.returncode == 0
    assert done.stdout.splitlines() == ["16", "kernel.elf"]
    assert "UnknownName" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_saved_guest(guest: DebuggedGuest, harness: Run, tmp_path: Path) -> None:
    core = tmp_path / "saved.core"
    guest.save_core(core)
    done = subprocess.run(
        [HARNESS, "shell", "--core", str(core)],
        input="print(len(inspection.violations), state.frame_table.first_frame, guest.moment)\n",
        capture_output=True, text=True, timeout=SECONDS, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "0 0 ready\n")
    done = harness("shell", "--core", core, "--memory", "16M")
    assert done.returncode == 2
    assert "--core takes no flags about a machine to boot" in done.stderr
