"""Packets of GDB's remote protocol: ``$data#checksum`` ("Debugging with GDB", E.1 Overview)."""

from __future__ import annotations

from harness.ram.protocol import RamError

LARGEST_PACKET = 1 << 20
"""No honest answer is longer, in bytes."""

_ESCAPE, _REPEAT = ord("}"), ord("*")


class PacketError(RamError):
    """Bytes that are no packet of the protocol."""


def checksum(data: bytes | bytearray) -> int:
    """Return the sum of the bytes modulo 256."""
    return sum(data) & 0xFF


def encode(data: bytes) -> bytes:
    """Return ``data`` as a packet, with the bytes escaped that have a meaning in it."""
    escaped = bytearray()
    for byte in data:
        escaped += bytes((_ESCAPE, byte ^ 0x20)) if byte in b"$#}*" else bytes((byte,))
    return b"$%b#%02x" % (bytes(escaped), checksum(escaped))


def decode(payload: bytes) -> bytes:
    """Return what the bytes between ``$`` and ``#`` stand for: escapes and runs expanded."""
    data = bytearray()
    position = 0
    while position < len(payload):
        byte = payload[position]
        if byte in (_ESCAPE, _REPEAT) and position + 1 == len(payload):
            raise PacketError("a packet ends within an escape")
        if byte == _ESCAPE:
            data.append(payload[position + 1] ^ 0x20)
        elif byte == _REPEAT:
            if not data:
                raise PacketError("a packet begins with a repeat count")
            data += data[-1:] * (payload[position + 1] - 29)
        else:
            data.append(byte)
        position += 2 if byte in (_ESCAPE, _REPEAT) else 1
    return bytes(data)


class PacketReader:
    """Cuts a stream of received bytes into packets; acknowledgements are skipped."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        """Add received bytes."""
        self._buffer += data

    def next(self) -> bytes | None:
        """Return the next whole packet's data, None when more bytes are needed."""
        start = self._buffer.find(b"$")
        if start < 0:
            self._buffer.clear()
            return None
        end = self._buffer.find(b"#", start)
        if end < 0 or len(self._buffer) < end + 3:
            if len(self._buffer) - start > LARGEST_PACKET:
                raise PacketError(f"a packet of more than {LARGEST_PACKET} bytes")
            return None
        payload, given = bytes(self._buffer[start + 1 : end]), self._buffer[end + 1 : end + 3]
        del self._buffer[: end + 3]
        if given.lower() != b"%02x" % checksum(payload):
            raise PacketError(f"a packet's checksum is {given.decode('latin-1')!r}")
        return decode(payload)
