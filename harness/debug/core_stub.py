"""A GDB stub for a saved guest: its registers, and memory by virtual address.

gdb reads a core by its segments' addresses, which are physical here; what it wants is virtual. So
the harness is the target, and translates by the saved page tables. Nothing can be written, nothing
runs. Source: "Debugging with GDB", appendix E.
"""

from __future__ import annotations

import socket
from collections.abc import Callable

from harness.check.inspect import control_registers
from harness.debug.loop import Loop
from harness.debug.target_description import DESCRIPTION, register_packet
from harness.decode.address_space import AddressSpace, NotReadable
from harness.decode.page_tables import decode_page_tables
from harness.machine.saved_guest import SavedGuest
from harness.ram.packets import PacketError, PacketReader, encode

PACKET_SIZE = 0x4000
"""Bytes of the longest packet that we take; gdb asks for as much memory as fits into one."""
LONGEST_READ = PACKET_SIZE // 2 - 16
"""Bytes of memory that fit into one, in hex."""
SEND_SECONDS = 5.0
_CHUNK = 1 << 16
_STOPPED, _STILL = b"T05thread:01;", b"T00thread:01;"
_CANNOT_RUN = "This guest was saved: it cannot run.\n"
_NO_MEMORY = b"E0e"
"""EFAULT, as QEMU's stub answers."""
_REFUSED = b"E01"


class CoreStub:
    """One gdb's conversation about a saved guest; ends with the connection."""

    def __init__(self, guest: SavedGuest, connection: socket.socket, loop: Loop) -> None:
        """Take the connection over."""
        self._connection, self._loop = connection, loop
        self._packets = PacketReader()
        self._registers = register_packet(guest.registers())
        tables = decode_page_tables(guest.ram, control_registers(guest))
        self._space = AddressSpace(guest.ram, tables)
        connection.settimeout(SEND_SECONDS)
        loop.add(connection.fileno(), self._receive)

    def _receive(self) -> None:
        try:
            data = self._connection.recv(_CHUNK)
            self._packets.feed(data)
            while (packet := self._packets.next()) is not None:
                self._connection.sendall(b"+" + self._answer(packet))
        except (OSError, PacketError):
            data = b""
        if not data:
            self._loop.remove(self._connection.fileno())
            self._connection.close()

    def _answer(self, packet: bytes) -> bytes:
        """Return the packets that answer one of gdb's; an empty one for what is not known."""
        text = packet.decode("latin-1")
        if text.startswith(("c", "C", "s", "S", "vCont;", "bs", "bc")):
            said = b"O" + _CANNOT_RUN.encode().hex().encode()
            return encode(said) + encode(_STILL)
        for start, answer in _ANSWERS:
            if text.startswith(start):
                return encode(answer(self, text))
        return encode(b"")

    def _features(self, text: str) -> bytes:
        return f"PacketSize={PACKET_SIZE:x};qXfer:features:read+".encode()

    def _description(self, text: str) -> bytes:
        """Answer ``qXfer:features:read:target.xml:OFFSET,LENGTH``."""
        *_, span = text.split(":")
        try:
            offset, length = (int(part, 16) for part in span.split(","))
        except ValueError:
            return _REFUSED
        part = DESCRIPTION[offset : offset + length]
        more = offset + length < len(DESCRIPTION)
        return (b"m" if more else b"l") + part.encode()

    def _memory(self, text: str) -> bytes:
        """Answer ``mADDRESS,LENGTH``; gdb asks for less when not all of it is there."""
        try:
            address, length = (int(part, 16) for part in text[1:].split(","))
            return self._space.read(address, min(length, LONGEST_READ)).hex().encode()
        except ValueError:
            return _REFUSED
        except NotReadable:
            return _NO_MEMORY


def _always(answer: bytes) -> Callable[[CoreStub, str], bytes]:
    return lambda stub, text: answer


_ANSWERS: tuple[tuple[str, Callable[[CoreStub, str], bytes]], ...] = (
    ("qSupported", CoreStub._features),
    ("qXfer:features:read:target.xml:", CoreStub._description),
    ("?", _always(_STOPPED)),
    ("g", lambda stub, text: stub._registers),
    ("m", CoreStub._memory),
    ("M", _always(_REFUSED)),
    ("X", _always(_REFUSED)),
    ("G", _always(_REFUSED)),
    ("P", _always(_REFUSED)),
    ("Hg", _always(b"OK")),
    ("Hc", _always(b"OK")),
    ("qC", _always(b"QC01")),
    ("qfThreadInfo", _always(b"m01")),
    ("qsThreadInfo", _always(b"l")),
    ("T", _always(b"OK")),
    ("qAttached", _always(b"1")),
    ("D", _always(b"OK")),
)
"""Beginnings of packets in the order in which they are looked for, and what answers each."""
