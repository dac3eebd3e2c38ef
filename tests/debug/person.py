"""A person at a terminal with ``harness gdb``: types, reads, and presses Ctrl-C."""

from __future__ import annotations

import contextlib
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pexpect
import platformdirs

from tests.cli.conftest import HARNESS

PROMPT = "(gdb) "
PLAIN = ("-iex", "set style enabled off", "-iex", "set width 0", "-iex", "set height 0")
"""What makes gdb's output one that can be compared."""
SECONDS = 30


_OWN = {
    "TERM": "dumb",
    "HOME": "/nonexistent",  # without a .gdbinit, and caches stay where they are
    "XDG_CACHE_HOME": str(platformdirs.user_cache_path()),
}


class Person:
    """A pseudo-terminal with gdb in it."""

    def __init__(
        self,
        *arguments: str,
        gdb: tuple[str, ...] = PLAIN,
        cwd: str | None = None,
        **environment: str,
    ) -> None:
        self.child = pexpect.spawn(
            str(HARNESS),
            ["gdb", *arguments, "--", *gdb],
            encoding="utf-8",
            timeout=SECONDS,
            dimensions=(50, 200),
            cwd=cwd,
            env={**os.environ, **_OWN, **environment},
        )
        self.child.delaybeforesend = None
        self.child.setecho(False)

    def begin(self) -> str:
        """Return what is printed up to the first prompt."""
        return self._answer()

    def ask(self, command: str) -> str:
        """Type a command and return what gdb prints until its next prompt."""
        self.child.sendline(command)
        said = self._answer()
        # readline echoes what is typed.
        return said.removeprefix(command).lstrip("\n")

    def _answer(self) -> str:
        self.child.expect_exact(PROMPT)
        return clean(str(self.child.before))

    def run(self) -> None:
        """Let the guest run, and wait until it does.

        A Ctrl-C that gdb gets before it has told QEMU to run is passed on too early, and lost.
        """
        self.ask("set debug remote on")
        self.child.sendline("continue")
        self.child.expect_exact("Sending packet: $vCont;c")
        self.child.expect_exact("Received Ack")

    def interrupt(self) -> str:
        """Press Ctrl-C while the guest runs; return what gdb prints until its next prompt."""
        self.child.sendintr()
        said = self._answer()
        self.ask("set debug remote off")
        return said

    def status(self) -> int | None:
        """Wait for the end and return the exit code."""
        self.child.expect(pexpect.EOF)
        self.child.close()
        return self.child.exitstatus

    def leave(self) -> None:
        """End the harness as a parent does, if it still runs, and wait until it has cleaned up."""
        if self.child.isalive():
            self.child.kill(signal.SIGTERM)
            self.child.expect(pexpect.EOF)
        self.child.close(force=True)

    def processes(self) -> dict[str, int]:
        """Return the process ids of gdb and QEMU, which the harness has started."""
        return {_name(pid): pid for pid in children(self.child.pid)}


def clean(text: str) -> str:
    """Return a terminal's text with plain ends of lines and without its control sequences."""
    return re.sub(r"\x1b\[[?\d;]*[a-zA-Z]", "", text.replace("\r", "")).strip("\n")


def children(pid: int) -> list[int]:
    """Return the process ids of a process's children."""
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _name(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()


@contextlib.contextmanager
def person(*arguments: str, **how: object) -> Iterator[Person]:
    """Give a person gdb at its first prompt; everything is gone at the end."""
    one = Person(*arguments, **how)  # type: ignore[arg-type]
    try:
        yield one
    finally:
        one.leave()
