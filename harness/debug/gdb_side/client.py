"""Asking the harness process, from within gdb."""

from __future__ import annotations

import os
import socket
from typing import Any

from harness.debug.gdb_side.wire import LARGEST_ANSWER, BadMessage, Message, MessageReader, encode

SOCKET = "MM_HARNESS_SOCKET"
"""The environment variable with the path at which the harness listens."""
GONE = "The harness process has gone, and the guest with it; quit gdb and start again."


class AskError(Exception):
    """The harness refused, or is not there; the message is a sentence."""


def ask(command: str, **values: Any) -> Message:
    """Ask the harness and return its answer; raise :class:`AskError`."""
    try:
        answer = _exchange(encode({"command": command, **values}))
    except (OSError, BadMessage):
        raise AskError(GONE) from None
    if "error" in answer:
        raise AskError(str(answer["error"]))
    return answer


def _exchange(request: bytes) -> Message:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(os.environ.get(SOCKET, ""))
        connection.sendall(request)
        reader = MessageReader(LARGEST_ANSWER)
        while data := connection.recv(1 << 16):
            message = reader.feed(data)
            if message is not None:
                return message
    raise BadMessage("the harness hung up")
