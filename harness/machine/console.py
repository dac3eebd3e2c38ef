"""The guest's first serial port, attached before the CPU runs."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pexpect
from pexpect import fdpexpect

LOG_LIMIT = 1 << 20
"""Characters of the log that are kept, from its end."""
LINE_LIMIT = 16 << 10
"""A line of this many characters counts as ended."""
TAIL_LINES = 20


class ConsoleLog:
    """Everything that the guest has printed, up to ``LOG_LIMIT`` from the end."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._length = 0

    def write(self, text: str) -> None:
        """Add text; the oldest goes when there is twice too much."""
        self._pieces.append(text)
        self._length += len(text)
        if self._length > 2 * LOG_LIMIT:
            self._pieces = [self.text()]
            self._length = len(self._pieces[0])

    def flush(self) -> None:
        """Do nothing: it is a file for pexpect."""

    def text(self) -> str:
        """Return the log with ``\\n`` line ends."""
        return "".join(self._pieces)[-LOG_LIMIT:].replace("\r\n", "\n")


class Console:
    """A serial console; ``spawn`` is pexpect's view of it, for expect() and friends."""

    def __init__(self, connection: socket.socket) -> None:
        """Take over a connected stream socket."""
        self._socket = connection
        self.log = ConsoleLog()
        # pexpect on a pty sleeps 50 ms before each send; on a descriptor it does not.
        self.spawn = fdpexpect.fdspawn(
            connection.fileno(),
            encoding="utf-8",
            codec_errors="replace",
            use_poll=True,
            maxread=65536,
        )
        self.spawn.logfile_read = self.log
        self.spawn.delayafterread = None
        self._patterns = self.spawn.compile_pattern_list([r"\r?\n", pexpect.TIMEOUT, pexpect.EOF])
        self._anything = self.spawn.compile_pattern_list([r".+", pexpect.TIMEOUT, pexpect.EOF])

    def fileno(self) -> int:
        """Return the descriptor that is readable when there is more to read."""
        return self._socket.fileno()

    def lines(self) -> Iterator[str]:
        """Yield the complete lines that have come since the last call; never wait."""
        while self.spawn.expect_list(self._patterns, timeout=0) == 0:
            yield str(self.spawn.before)
        if len(self.spawn.buffer) > LINE_LIMIT:
            self.spawn.expect_list(self._anything, timeout=0)
            yield str(self.spawn.after)

    def send(self, text: str) -> None:
        """Type ``text``; a line ends with a carriage return."""
        self.spawn.send(text)

    def tail(self, lines: int = TAIL_LINES) -> str:
        """Return the last lines that were printed."""
        return "\n".join(self.log.text().rstrip("\n").split("\n")[-lines:])

    def renew(self) -> None:
        """Forget everything: a new boot begins."""
        # Also the beginning of a line that a reset cut off.
        while self.spawn.expect_list(self._anything, timeout=0) == 0:
            pass
        self.log = ConsoleLog()
        self.spawn.logfile_read = self.log

    def close(self) -> None:
        """Hang up."""
        self._socket.close()
