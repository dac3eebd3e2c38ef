"""gdb in the foreground: it has the terminal, we own the process."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import termios
from collections.abc import Iterator, Mapping, Sequence

from harness.debug.mi import GdbMissing
from harness.machine.process import require

END_SECONDS = 5.0
"""In which gdb must obey SIGTERM before it is killed."""


class Foreground:
    """A gdb that a person uses."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self.exit_descriptor = os.pidfd_open(process.pid)
        """Readable once gdb has ended."""

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def ended(self) -> bool:
        """Return whether it has ended."""
        return self._process.poll() is not None

    @property
    def code(self) -> int:
        """Its exit code, negative when a signal ended it."""
        return self._process.wait(END_SECONDS)

    def end(self) -> None:
        """Ask it to end, and make sure; gdb gives the terminal back when it is asked."""
        if not self.ended():
            self._process.terminate()
            try:
                self._process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(END_SECONDS)
        os.close(self.exit_descriptor)


@contextlib.contextmanager
def foreground_gdb(
    arguments: Sequence[str], environment: Mapping[str, str]
) -> Iterator[Foreground]:
    """Run gdb on our terminal; it ends with the block, or with us when we are killed.

    Ctrl-C is gdb's meanwhile, which interrupts the guest. Raise :class:`GdbMissing`.
    """
    before = signal.signal(signal.SIGINT, lambda number, frame: None)
    with _terminal_as_it_was():
        try:
            gdb = Foreground(_start(arguments, environment))
            try:
                yield gdb
            finally:
                gdb.end()
        finally:
            signal.signal(signal.SIGINT, before)


def _start(arguments: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    launcher = (require("setpriv"), "--pdeathsig", "TERM", "--")
    gdb = find_gdb()
    return subprocess.Popen([*launcher, gdb, *arguments], env=dict(environment))


def find_gdb() -> str:
    """Return where gdb is; raise :class:`GdbMissing`."""
    found = shutil.which("gdb")
    if found is None:
        raise GdbMissing("gdb is not installed; 'harness doctor' says how to get it")
    return found


@contextlib.contextmanager
def _terminal_as_it_was() -> Iterator[None]:
    """Give the terminal back as it was, also when gdb was killed."""
    if not sys.stdin.isatty():
        yield
        return
    before = termios.tcgetattr(sys.stdin.fileno())
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin.fileno(), termios.TCSADRAIN, before)
