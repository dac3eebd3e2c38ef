"""The guest's first serial port, attached before the CPU runs."""

from __future__ import annotations

import codecs
import select
import socket
from collections.abc import Callable, Iterator
from functools import cached_property

import pexpect
from pexpect import fdpexpect
from pexpect.utils import poll_ignore_interrupts

LOG_LIMIT = 1 << 20
"""Characters of the log that are kept, from its end."""
LINE_LIMIT = 16 << 10
"""A line of this many characters counts as ended."""
TAIL_LINES = 20
CHUNK = 64 << 10


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

    def text(self) -> str:
        """Return the log with ``\\n`` line ends."""
        return "".join(self._pieces)[-LOG_LIMIT:].replace("\r\n", "\n")


class Console:
    """A serial console.

    QEMU passes on what a UART sends byte by byte, so reading must be cheap: text is kept until a
    line is complete. What is not (a prompt) is for :attr:`spawn`.
    """

    def __init__(self, connection: socket.socket) -> None:
        """Take over a connected stream socket."""
        self._socket = connection
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._text = ""
        self.log = ConsoleLog()
        self.echo: Callable[[str], object] = str
        """Called with all text as it comes; for whoever shows it to a person."""
        self.wait: Callable[[str, float], str] | None = None
        """How the guest that prints here is waited for."""
        self.echo_seconds: float | None = None
        """How long to wait after each byte that is typed for the guest to say something; None: not
        at all. A QEMU that records takes more than its UART has room for."""
        self.hung_up = False
        """Whether QEMU has closed its end."""

    def fileno(self) -> int:
        """Return the descriptor that is readable when there is more to read."""
        return self._socket.fileno()

    @cached_property
    def spawn(self) -> fdpexpect.fdspawn[str]:
        """Pexpect's view, for expect() and friends; what it reads is in no line of :meth:`lines`.

        On a pty pexpect sleeps 50 ms before each send; on a descriptor it does not.
        """
        return _Spawn(self)

    def lines(self) -> Iterator[str]:
        """Yield the complete lines that have come since the last call; never wait."""
        self.receive()
        while "\n" in self._text:
            line, _, self._text = self._text.partition("\n")
            yield line.removesuffix("\r")
        if len(self._text) > LINE_LIMIT:
            yield self.take()

    @property
    def has_line(self) -> bool:
        """Whether a complete line was received."""
        return "\n" in self._text or len(self._text) > LINE_LIMIT

    def receive(self) -> None:
        """Read what has come, without waiting."""
        more = True
        while more:
            try:
                data = self._socket.recv(CHUNK, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            except ConnectionResetError:
                data = b""
            more, self.hung_up = len(data) == CHUNK, not data
            text = self._decoder.decode(data)
            self.log.write(text)
            self.echo(text)
            self._text += text

    @property
    def begun(self) -> str:
        """What was received and is in no line yet."""
        return self._text

    def take(self) -> str:
        """Return what was received and is in no line yet."""
        text, self._text = self._text, ""
        return text

    def send(self, text: str) -> None:
        """Type ``text``; a line ends with a carriage return."""
        if self.echo_seconds is None:
            self._socket.sendall(text.encode())
            return
        for byte in text.encode():
            self.receive()
            self._socket.sendall(bytes([byte]))
            select.select([self._socket], [], [], self.echo_seconds)

    def expect(self, pattern: str, timeout: float = 10.0) -> str:
        """Let the guest run until what it prints matches a regular expression; return that line.

        A line counts that is not ended yet, such as a prompt: then what there is of it is returned,
        and is gone for the next wait. ``timeout`` is in CPU seconds. Raise
        :class:`harness.machine.errors.GuestEnded` when the guest ends before or does not print it
        in time.
        """
        assert self.wait is not None, "a console without a guest"
        return self.wait(pattern, timeout)

    def tail(self, lines: int = TAIL_LINES) -> str:
        """Return the last lines that were printed."""
        return "\n".join(self.log.text().rstrip("\n").split("\n")[-lines:])

    def renew(self) -> None:
        """Forget everything: a new boot begins."""
        self.receive()
        self._text = ""  # also the beginning of a line that a reset cut off
        self._decoder.reset()
        self.log = ConsoleLog()
        self.__dict__.pop("spawn", None)

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


class _Spawn(fdpexpect.fdspawn):  # type: ignore[type-arg]  # no generic class when run
    """Reads by way of the console, so that its log is complete and no text is lost."""

    def __init__(self, console: Console) -> None:
        super().__init__(console.fileno(), encoding="utf-8", use_poll=True)
        self._console = console

    def read_nonblocking(self, size: int = 1, timeout: float | None = -1) -> str:
        """Return some text; raise pexpect's TIMEOUT after ``timeout`` seconds, EOF at the end."""
        timeout = self.timeout if timeout == -1 else timeout
        if text := self._console.take():
            return text
        if not poll_ignore_interrupts([self.child_fd], timeout):
            raise pexpect.TIMEOUT("Timeout exceeded.")
        self._console.receive()
        if self._console.hung_up:
            raise pexpect.EOF("QEMU hung up.")
        return self._console.take()
