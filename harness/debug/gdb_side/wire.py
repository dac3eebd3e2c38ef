"""Messages between gdb and the harness: JSON objects with their length in front.

The length is 4 bytes, the most significant one first. Both sides use this file.
"""

from __future__ import annotations

import json
import struct
from typing import Any

LARGEST_REQUEST = 1 << 20
LARGEST_ANSWER = 64 << 20
"""Bytes of one message; a longer one ends the conversation."""

_LENGTH = struct.Struct(">I")

Message = dict[str, Any]


class BadMessage(Exception):
    """What came is no message of this protocol."""


def encode(message: Message) -> bytes:
    """Return a message's bytes."""
    data = json.dumps(message).encode()
    return _LENGTH.pack(len(data)) + data


class MessageReader:
    """Puts one message together out of the pieces that come."""

    def __init__(self, limit: int) -> None:
        """``limit`` is in bytes."""
        self._limit = limit
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Message | None:
        """Add what came; return the message once it is whole; raise :class:`BadMessage`."""
        self._buffer += data
        if len(self._buffer) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(self._buffer)
        if length > self._limit:
            raise BadMessage(f"a message of {length} bytes; at most {self._limit} are taken")
        if len(self._buffer) < _LENGTH.size + length:
            return None
        try:
            message = json.loads(self._buffer[_LENGTH.size : _LENGTH.size + length])
        except ValueError as error:
            raise BadMessage(f"a message that is no JSON: {error}") from None
        if not isinstance(message, dict):
            raise BadMessage("a message that is no object")
        return message
