"""gdb's machine interface, for scripts.

pygdbmi's own waiting takes a fixed 0.2 s a command; here each command carries a token, and its
answer is the result record with the same token ("Debugging with GDB", section 27.2).
"""

from __future__ import annotations

import selectors
import subprocess
import time
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

from pygdbmi import gdbmiparser

from harness.machine.errors import ToolMissing
from harness.machine.process import require

# What a kernel's file asks gdb to load is a stranger's; nothing is fetched from the network.
_COMMAND = (
    *("gdb", "--nx", "--quiet", "--interpreter=mi3"),
    *("--init-eval-command=set auto-load off", "--init-eval-command=set debuginfod enabled off"),
)
_ANSWER_LIMIT = 64 << 20
_LAST_WORDS = 4
"""Lines of gdb's that are quoted when it ends."""

Record = dict[str, Any]


class GdbError(Exception):
    """gdb answered with an error, not in time, or not at all."""


class GdbMissing(GdbError, ToolMissing):
    """gdb is not installed."""


class GdbRefused(GdbError):
    """gdb answered a command with an error."""

    def __init__(self, command: str, reason: str) -> None:
        super().__init__(f"{command}: {reason}")
        self.command = command
        self.reason = reason
        """What gdb said."""


class GdbTimeout(GdbError):
    """gdb gave no answer in time."""


class GdbDied(GdbError):
    """gdb itself has ended."""


class MiSession:
    """A gdb process of one's own; ends with the ``with`` block, and with this process."""

    def __init__(self, timeout: float = 10.0, descriptors: Iterable[int] = ()) -> None:
        """Start gdb; ``timeout`` is in seconds, for each command; it inherits ``descriptors``."""
        self._timeout = timeout
        self._token = 0
        self._pending = bytearray()
        self._last_words: deque[str] = deque(maxlen=_LAST_WORDS)
        self._printed: list[str] = []
        self.running = False
        """Whether gdb takes its target to be running."""
        self.stop: Record | None = None
        """How the target stopped last, since it was last let run."""
        # As QEMU does, it ends with us, and Ctrl-C at the terminal reaches us alone.
        launcher = (require("setpriv"), "--pdeathsig", "KILL", "--")
        self._gdb = subprocess.Popen(
            (*launcher, _found_gdb(), *_COMMAND[1:]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            pass_fds=tuple(descriptors),
            start_new_session=True,
        )
        self.pid = self._gdb.pid
        self._selector = selectors.DefaultSelector()
        assert self._gdb.stdout is not None
        self._selector.register(self._gdb.stdout, selectors.EVENT_READ)

    def fileno(self) -> int:
        """Return the descriptor that is readable when gdb has said something, or has ended."""
        assert self._gdb.stdout is not None
        return self._gdb.stdout.fileno()

    def attach(self, socket: Path) -> None:
        """Attach to the GDB stub that listens on a Unix socket."""
        self.command(f"-target-select remote {socket}")
        self.stop = None  # that it is stopped, and not why

    def command(self, text: str) -> dict[str, Any]:
        """Run one MI command and return its result's payload; raise :class:`GdbError`."""
        if not text.isprintable():
            raise GdbRefused(repr(text), "a command is one printable line")
        self._token += 1
        self._printed.clear()
        assert self._gdb.stdin is not None
        try:
            self._gdb.stdin.write(f"{self._token}{text}\n".encode())
        except BrokenPipeError:
            raise self._died(text) from None
        record = self._answer(text)
        payload = record["payload"] or {}
        if record["message"] == "error":
            raise GdbRefused(text, str(payload.get("msg", "no reason given")))
        return dict(payload)

    def console(self, command: str) -> str:
        """Run one command of gdb's own language and return what it prints."""
        self.command(f"-interpreter-exec console {quoted(command)}")
        return "".join(self._printed)

    def read_memory(self, address: int, length: int) -> bytes:
        """Return ``length`` bytes from an address of gdb's target."""
        payload = self.command(f"-data-read-memory-bytes {address:#x} {length}")
        data = b"".join(bytes.fromhex(piece["contents"]) for piece in payload["memory"])
        if len(data) != length:
            reason = f"only {len(data)} of {length} bytes can be read"
            raise GdbRefused(f"memory at {address:#x}", reason)
        return data

    def take_in(self) -> None:
        """Read what gdb has told by itself, without waiting; raise :class:`GdbDied`."""
        while self._selector.select(0):
            self._receive("")
        while (end := self._pending.find(b"\n")) >= 0:
            self._note(self._cut(end))

    def wait(self, seconds: float) -> None:
        """Wait until gdb says something by itself, at most so long, and take it in."""
        if not self._pending:
            self._selector.select(seconds)
        self.take_in()

    def _answer(self, text: str) -> Record:
        """Return the result record of the last command; other records are noted."""
        wanted = f"{self._token}^".encode()
        deadline = time.monotonic() + self._timeout
        while True:
            line = self._line(text, deadline)
            if not line.startswith(wanted):
                self._note(line)
                continue
            record: Record = gdbmiparser.parse_response(line.decode("utf-8", "replace"))
            if record["message"] == "running":
                self._ran()
            return record

    def _note(self, line: bytes) -> None:
        """Take in a record that is no answer."""
        kind, text = line[:1], line.decode("utf-8", "replace")
        if line.startswith(b"*running"):
            self._ran()
        elif line.startswith(b"*stopped"):
            self.running, self.stop = False, gdbmiparser.parse_response(text)["payload"] or {}
        elif kind == b"~":
            self._printed.append(gdbmiparser.parse_response(text)["payload"] or "")
        elif kind == b"&":
            self._last_words.append((gdbmiparser.parse_response(text)["payload"] or "").strip())
        elif kind not in b"=(@" and not line[:1].isdigit():
            self._last_words.append(text.strip())

    def _ran(self) -> None:
        self.running, self.stop = True, None

    def _line(self, text: str, deadline: float) -> bytes:
        searched = 0
        while (end := self._pending.find(b"\n", searched)) < 0:
            searched = len(self._pending)
            if not self._selector.select(max(0.0, deadline - time.monotonic())):
                raise GdbTimeout(f"{text}: gdb gave no answer within {self._timeout:g} s")
            self._receive(text)
        return self._cut(end)

    def _cut(self, end: int) -> bytes:
        line = bytes(self._pending[:end])
        del self._pending[: end + 1]
        return line

    def _receive(self, text: str) -> None:
        """Read from the readable pipe."""
        assert self._gdb.stdout is not None
        data = self._gdb.stdout.read(1 << 20)
        if not data:
            raise self._died(text)
        self._pending += data
        if len(self._pending) > _ANSWER_LIMIT:
            raise GdbError(f"{text}: an answer of more than {_ANSWER_LIMIT} bytes")

    def _died(self, text: str) -> GdbDied:
        said = f"; it said: {' / '.join(self._last_words)}" if self._last_words else ""
        return GdbDied(f"{text}: gdb has ended{said}".removeprefix(": "))

    def close(self) -> None:
        """End gdb; may be called again."""
        self._selector.close()
        self._gdb.kill()
        self._gdb.wait()
        for pipe in (self._gdb.stdin, self._gdb.stdout):
            if pipe is not None:
                pipe.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def quoted(text: str) -> str:
    """Return ``text`` as one argument of an MI command."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _found_gdb() -> str:
    try:
        return require("gdb")
    except ToolMissing:
        raise GdbMissing("gdb is not installed; 'harness doctor' says how to get it") from None
