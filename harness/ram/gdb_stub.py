"""A client of GDB stubs (QEMU, Bochs, JTAG probes), and guest RAM read through one.

The protocol is GDB's own: "Debugging with GDB", appendix E (Remote Serial Protocol). Physical
addresses need QEMU's extension ``qemu.PhyMemMode`` (QEMU manual, "GDB usage").
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from harness.ram.packets import PacketReader, encode
from harness.ram.protocol import AbsentMemory, RamError

SMALLEST_PACKET = 400
"""Bytes that any stub can be expected to take when it names no ``PacketSize``."""

I386_REGISTERS = (
    *("eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi"),
    *("eip", "eflags", "cs", "ss", "ds", "es", "fs", "gs"),
)
"""The first registers of an i386 ``g`` packet, 4 bytes each (GDB's i386-32bit-core.xml)."""


QEMU_I386_REGISTERS = (
    *I386_REGISTERS,
    *("fs_base", "gs_base", "k_gs_base", "cr0", "cr2", "cr3", "cr4", "cr8", "efer"),
)
"""QEMU's go on with these (QEMU 7.2, gdb-xml/i386-32bit.xml)."""


class StubError(RamError):
    """The stub, or the way to it, failed."""


class StubTimeout(StubError):
    """The stub did not answer before the deadline."""


class StubRefused(StubError):
    """The stub answered a request with an error, or does not know it."""


class GdbStub:
    """A connection to a GDB stub; the target is stopped unless :meth:`resume` was called last.

    QEMU pauses its guest when a client connects, and lets it run when one detaches.
    """

    def __init__(self, connection: socket.socket, timeout: float = 5.0) -> None:
        """Take over a connected socket; each wait lasts ``timeout`` seconds unless told."""
        self._socket = connection
        self._timeout = timeout
        self._packets = PacketReader()
        self._acknowledge = True
        self._running = False
        self._packet_size = self._negotiate()

    @classmethod
    def connect(cls, path: Path, timeout: float = 5.0) -> Self:
        """Connect to a stub that listens on the Unix socket ``path``."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(timeout)
        try:
            connection.connect(str(path))
            return cls(connection, timeout)
        except OSError as error:
            connection.close()
            raise StubError(f"no GDB stub at {path}: {error}") from None
        except StubError:
            connection.close()
            raise

    def _negotiate(self) -> int:
        features = self.request(b"qSupported:").decode("ascii", "replace").split(";")
        if "QStartNoAckMode+" in features:
            self._expect_ok(b"QStartNoAckMode")
            self._acknowledge = False
        sizes = [f.removeprefix("PacketSize=") for f in features if f.startswith("PacketSize=")]
        try:
            return max(int(sizes[0], 16), SMALLEST_PACKET) if sizes else SMALLEST_PACKET
        except ValueError:
            raise StubError(f"the stub gave a packet size of {sizes[0]!r}") from None

    def fileno(self) -> int:
        """Return the descriptor that is readable when the stub has said something."""
        return self._socket.fileno()

    def request(self, data: bytes) -> bytes:
        """Send one packet to the stopped target and return the answer, whatever it is."""
        if self._running:
            raise StubError("the target is running: interrupt it first")
        self._send(data)
        return self._receive(f"the answer to {_shown(data)}", self._timeout)

    def _send(self, data: bytes) -> None:
        try:
            self._socket.settimeout(self._timeout)
            self._socket.sendall(encode(data))
        except TimeoutError:
            raise StubTimeout(f"the stub took no request for {self._timeout:g} s") from None
        except OSError as error:
            raise StubError(f"the stub is gone: {error}") from None

    def _receive(self, what: str, timeout: float) -> bytes:
        deadline = time.monotonic() + timeout
        while (packet := self._packets.next()) is None:
            self._packets.feed(self._received(what, deadline, timeout))
        if self._acknowledge:
            self._socket.sendall(b"+")
        return packet

    def _received(self, what: str, deadline: float, timeout: float) -> bytes:
        left = deadline - time.monotonic()
        if left <= 0:
            raise StubTimeout(f"waited {timeout:g} s for {what}")
        try:
            self._socket.settimeout(left)
            data = self._socket.recv(65536)
        except TimeoutError:
            raise StubTimeout(f"waited {timeout:g} s for {what}") from None
        except OSError as error:
            raise StubError(f"the stub is gone: {error}") from None
        if not data:
            raise StubError(f"the stub closed the connection before {what}")
        return data

    def _expect_ok(self, data: bytes) -> None:
        answer = self.request(data)
        if answer != b"OK":
            raise StubRefused(f"{_shown(data)} was answered with {answer.decode('latin-1')!r}")

    def use_physical_addresses(self, enabled: bool = True) -> None:
        """Let memory addresses be physical (or virtual again); breakpoints stay virtual."""
        self._expect_ok(b"Qqemu.PhyMemMode:%d" % enabled)

    def read_memory(self, address: int, length: int) -> bytes:
        """Return ``length`` bytes from ``address``; raise :class:`StubRefused`."""
        step = (self._packet_size - 16) // 2
        pieces = (
            self._read_piece(start, min(step, address + length - start))
            for start in range(address, address + length, step)
        )
        return b"".join(pieces)

    def _read_piece(self, address: int, length: int) -> bytes:
        answer = self.request(b"m%x,%x" % (address, length))
        try:
            data = bytes.fromhex(answer.decode("ascii"))
        except ValueError:
            data = b""
        if len(data) != length:
            raise StubRefused(
                f"no memory at 0x{address:x}, {length} bytes: {answer[:16].decode('latin-1')!r}"
            )
        return data

    def write_memory(self, address: int, data: bytes) -> None:
        """Write ``data`` to ``address``; raise :class:`StubRefused`."""
        step = (self._packet_size - 32) // 2
        for start in range(0, len(data), step):
            piece = data[start : start + step]
            header = b"M%x,%x:" % (address + start, len(piece))
            self._expect_ok(header + piece.hex().encode())

    def registers(self) -> bytes:
        """Return the ``g`` packet's bytes: the target's registers in its own order."""
        answer = self.request(b"g")
        try:
            # An x stands for a register that the stub cannot read.
            return bytes.fromhex(answer.decode("ascii").replace("x", "0"))
        except ValueError:
            raise StubRefused(f"g was answered with {_shown(answer)}") from None

    def i386_registers(self) -> dict[str, int]:
        """Return the general and segment registers of an i386 by name."""
        return self._words(I386_REGISTERS)

    def qemu_i386_registers(self) -> dict[str, int]:
        """Return an i386's registers by name, the control registers with them; of QEMU's stub."""
        return self._words(QEMU_I386_REGISTERS)

    def _words(self, names: tuple[str, ...]) -> dict[str, int]:
        data = self.registers()
        size = 4 * len(names)
        if len(data) < size:
            raise StubRefused(f"{len(data)} bytes of registers are no i386's")
        return dict(zip(names, struct.unpack(f"<{len(names)}I", data[:size]), strict=True))

    def insert_breakpoint(self, address: int, hardware: bool = True) -> None:
        """Stop before the instruction at a virtual address (hardware: memory stays as it is)."""
        self._expect_ok(b"Z%d,%x,1" % (hardware, address))

    def remove_breakpoint(self, address: int, hardware: bool = True) -> None:
        """Take back :meth:`insert_breakpoint`."""
        self._expect_ok(b"z%d,%x,1" % (hardware, address))

    def insert_watchpoint(self, address: int, length: int) -> None:
        """Stop after a write to ``length`` bytes at a virtual address."""
        self._expect_ok(b"Z2,%x,%x" % (address, length))

    def remove_watchpoint(self, address: int, length: int) -> None:
        """Take back :meth:`insert_watchpoint`."""
        self._expect_ok(b"z2,%x,%x" % (address, length))

    def resume(self) -> None:
        """Let the target run; :meth:`wait_for_stop` says when it has stopped."""
        if not self._running:
            self._send(b"c")
            self._running = True

    def step(self, timeout: float | None = None) -> str:
        """Execute one instruction and return the stop reply."""
        if self._running:
            raise StubError("the target is running: interrupt it first")
        self._send(b"s")
        self._running = True
        return self.wait_for_stop(timeout)

    def wait_for_stop(self, timeout: float | None = None) -> str:
        """Return the stop reply (``T05…``: signal 5, a breakpoint) of a running target."""
        if not self._running:
            return self.stop_reason()
        limit = self._timeout if timeout is None else timeout
        reply = self._receive("the target to stop", limit)
        self._running = False
        return reply.decode("latin-1")

    def look_for_stop(self) -> str | None:
        """Return the stop reply of a running target if it has come; do not wait for the rest.

        Call it when :meth:`fileno` is readable.
        """
        self._packets.feed(self._received("the target to stop", time.monotonic() + 1.0, 1.0))
        packet = self._packets.next()
        if packet is None:
            return None
        if self._acknowledge:
            self._socket.sendall(b"+")
        self._running = False
        return packet.decode("latin-1")

    def interrupt(self, timeout: float | None = None) -> str:
        """Stop a running target and return the stop reply."""
        if self._running:
            self._socket.sendall(b"\x03")
        return self.wait_for_stop(timeout)

    def stop_reason(self) -> str:
        """Return the stop reply of the stopped target."""
        return self.request(b"?").decode("latin-1")

    def detach(self) -> None:
        """Let go of the target, which QEMU then lets run, and close the connection."""
        try:
            if not self._running:
                self._expect_ok(b"D")
        finally:
            self.close()

    def close(self) -> None:
        """Close the connection; the target stays as it is."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _shown(data: bytes) -> str:
    """Return the beginning of a packet for a message."""
    return repr(data[:24].decode("latin-1"))


class StubRam:
    """A :class:`harness.ram.protocol.Ram` behind a GDB stub: slow, but it is everywhere.

    The protocol cannot tell where there is RAM, so ``ranges`` must be known. The stub is left
    reading physical addresses.
    """

    def __init__(self, stub: GdbStub, ranges: Iterable[range]) -> None:
        self._stub = stub
        self._ranges = tuple(sorted(ranges, key=lambda r: r.start))
        stub.use_physical_addresses()

    @property
    def ranges(self) -> tuple[range, ...]:
        """Physical addresses at which there is RAM: ascending, disjoint, in bytes."""
        return self._ranges

    def read(self, address: int, length: int) -> bytes:
        """Return ``length`` bytes from physical ``address``."""
        self._check(address, length)
        return self._stub.read_memory(address, length)

    def write(self, address: int, data: bytes) -> None:
        """Write ``data`` to physical ``address``."""
        self._check(address, len(data))
        self._stub.write_memory(address, data)

    def array(self, address: int, dtype: npt.DTypeLike, count: int) -> npt.NDArray[np.generic]:
        """Return a copy of ``count`` elements from physical ``address``, read-only."""
        layout = np.dtype(dtype)
        data = self.read(address, layout.itemsize * count)
        return np.frombuffer(data, layout, count) if data else np.empty(count, layout)

    def view(self, address: int) -> memoryview | None:
        """Return None: each look is a packet."""
        return None

    def _check(self, address: int, length: int) -> None:
        inside = any(r.start <= address and address + length <= r.stop for r in self._ranges)
        if length < 0 or (length and not inside):
            raise AbsentMemory(address, length)
