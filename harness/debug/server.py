"""The socket on which gdb asks: one request a connection, one answer, and it is closed.

It lies in a folder that only this user may enter.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

from harness.debug.gdb_side.wire import (
    LARGEST_ANSWER,
    LARGEST_REQUEST,
    BadMessage,
    Message,
    MessageReader,
    encode,
)
from harness.debug.loop import Loop

ANSWER_SECONDS = 5.0
"""In which gdb must take an answer; it is waiting for it."""
_CHUNK = 1 << 16

Answerer = Callable[[Message], Message]


@contextlib.contextmanager
def listening(path: Path, loop: Loop, take: Callable[[socket.socket], object]) -> Iterator[None]:
    """Listen on a Unix socket; give each connection to ``take``, which owns it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen()
        loop.add(listener.fileno(), lambda: take(listener.accept()[0]))
        try:
            yield
        finally:
            loop.remove(listener.fileno())


@contextlib.contextmanager
def serving(path: Path, loop: Loop, answer: Answerer) -> Iterator[None]:
    """Answer requests at ``path`` as long as the loop runs."""
    conversations: set[_Conversation] = set()
    try:
        with listening(path, loop, lambda c: _Conversation(c, loop, answer, conversations)):
            yield
    finally:
        for conversation in list(conversations):
            conversation.close()


class _Conversation:
    """One request on its way in."""

    def __init__(
        self,
        connection: socket.socket,
        loop: Loop,
        answer: Answerer,
        of: set[_Conversation],
    ) -> None:
        self._connection, self._loop, self._answer, self._of = connection, loop, answer, of
        self._reader = MessageReader(LARGEST_REQUEST)
        connection.settimeout(ANSWER_SECONDS)
        of.add(self)
        loop.add(connection.fileno(), self._receive)

    def _receive(self) -> None:
        try:
            data = self._connection.recv(_CHUNK)
            request = self._reader.feed(data)
            if request is not None:
                self._connection.sendall(_bounded(self._answer(request)))
        except (OSError, BadMessage):
            data, request = b"", None
        if not data or request is not None:
            self.close()

    def close(self) -> None:
        """Hang up."""
        self._loop.remove(self._connection.fileno())
        self._connection.close()
        self._of.discard(self)


def _bounded(answer: Message) -> bytes:
    data = encode(answer)
    if len(data) > LARGEST_ANSWER:
        return encode({"error": f"the answer has {len(data)} bytes: ask for less"})
    return data
