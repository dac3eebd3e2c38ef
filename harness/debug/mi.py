"""gdb's machine interface, for scripts.

pygdbmi's own waiting takes a fixed 0.2 s a command; here each command carries a token, and its
answer is the result record with the same token ("Debugging with GDB", section 27.2).
"""

from __future__ import annotations

import selectors
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pygdbmi import gdbmiparser

from harness.machine.errors import ToolMissing

_COMMAND = ("gdb", "--nx", "--quiet", "--interpreter=mi3")
_ANSWER_LIMIT = 64 << 20


class GdbError(Exception):
    """gdb answered with an error, not in time, or not at all."""


class GdbMissing(GdbError, ToolMissing):
    """gdb is not installed."""


class MiSession:
    """A gdb process of one's own; ends with the ``with`` block."""

    def __init__(self, timeout: float = 10.0) -> None:
        """Start gdb; ``timeout`` is in seconds, for each command."""
        self._timeout = timeout
        self._token = 0
        self._pending = bytearray()
        try:
            self._gdb = subprocess.Popen(
                _COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
            )
        except FileNotFoundError:
            raise GdbMissing("gdb is not installed; 'harness doctor' says how to get it") from None
        self._selector = selectors.DefaultSelector()
        assert self._gdb.stdout is not None
        self._selector.register(self._gdb.stdout, selectors.EVENT_READ)

    def attach(self, socket: Path) -> None:
        """Attach to the GDB stub that listens on a Unix socket."""
        self.command(f"-target-select remote {socket}")

    def command(self, text: str) -> dict[str, Any]:
        """Run one MI command and return its result's payload; raise :class:`GdbError`."""
        self._token += 1
        assert self._gdb.stdin is not None
        try:
            self._gdb.stdin.write(f"{self._token}{text}\n".encode())
        except BrokenPipeError:
            raise GdbError("gdb has ended") from None
        record = gdbmiparser.parse_response(self._answer(text))
        payload = record["payload"] or {}
        if record["message"] == "error":
            raise GdbError(f"{text}: {payload.get('msg', 'no reason given')}")
        return dict(payload)

    def read_memory(self, address: int, length: int) -> bytes:
        """Return ``length`` bytes from an address of gdb's target."""
        payload = self.command(f"-data-read-memory-bytes {address:#x} {length}")
        return b"".join(bytes.fromhex(piece["contents"]) for piece in payload["memory"])

    def _answer(self, text: str) -> str:
        """Return the result record of the last command; other records are passed over."""
        wanted = f"{self._token}^".encode()
        deadline = time.monotonic() + self._timeout
        while True:
            line = self._line(text, deadline)
            if line.startswith(wanted):
                return line.decode("utf-8", "replace")

    def _line(self, text: str, deadline: float) -> bytes:
        searched = 0
        while (end := self._pending.find(b"\n", searched)) < 0:
            searched = len(self._pending)
            if searched > _ANSWER_LIMIT:
                raise GdbError(f"{text}: an answer of more than {_ANSWER_LIMIT} bytes")
            self._read(text, deadline)
        line = bytes(self._pending[:end])
        del self._pending[: end + 1]
        return line

    def _read(self, text: str, deadline: float) -> None:
        if not self._selector.select(max(0.0, deadline - time.monotonic())):
            raise GdbError(f"{text}: no answer within {self._timeout:g} s")
        assert self._gdb.stdout is not None
        data = self._gdb.stdout.read(1 << 20)
        if not data:
            raise GdbError(f"{text}: gdb has ended")
        self._pending += data

    def close(self) -> None:
        """End gdb."""
        self._selector.close()
        self._gdb.kill()
        self._gdb.communicate()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
