"""The stub's client and the saved cores against a real QEMU, which has no kernel to run.

RAM is written through the stub and read back through every other way; the code that runs is a few
bytes of it.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from harness.ram.gdb_stub import (
    I386_REGISTERS,
    GdbStub,
    StubError,
    StubRam,
    StubRefused,
    StubTimeout,
)
from harness.ram.live import Extent, LiveRam
from harness.ram.packets import PacketReader, encode
from harness.ram.protocol import AbsentMemory, Ram
from harness.ram.saved import load_core, load_raw

MEMORY = 4 << 20
CODE = 0x8000
LOW, HIGH = range(0xA0000), range(0x100000, MEMORY)


@dataclass(frozen=True)
class Running:
    """A stopped QEMU: its stub, its monitor, and its RAM's file."""

    stub: GdbStub
    monitor: socket.socket
    descriptor: int

    def command(self, line: str) -> str:
        """Run one command of the human monitor and return all that it prints."""
        self.monitor.sendall(line.encode() + b"\n")
        return self.until_prompt()

    def until_prompt(self) -> str:
        """Return what the monitor prints up to its next prompt."""
        text = b""
        while not (b"\n" in text and text.endswith(b"(qemu) ")):
            assert select.select([self.monitor], [], [], 20)[0], text
            data = self.monitor.recv(65536)
            assert data, text
            text += data
        return text.decode()


@pytest.fixture
def qemu() -> Iterator[Running]:
    """QEMU before its first instruction, its stub and monitor on inherited sockets."""
    monitor, monitor_end = socket.socketpair()
    gdb, gdb_end = socket.socketpair()
    descriptor = os.memfd_create("guest")
    os.truncate(descriptor, MEMORY)
    process = subprocess.Popen(
        [
            *("qemu-system-i386", "-S", "-nodefaults", "-nic", "none", "-display", "none"),
            *("-machine", "pc,memory-backend=ram", "-m", f"{MEMORY >> 20}M", "-object"),
            f"memory-backend-file,id=ram,size={MEMORY},share=on,mem-path=/proc/self/fd/{descriptor}",
            *("-chardev", f"socket,id=monitor,fd={monitor_end.fileno()}", "-monitor"),
            *("chardev:monitor", "-chardev", f"socket,id=gdb,fd={gdb_end.fileno()}"),
            *("-gdb", "chardev:gdb"),
        ],
        pass_fds=[descriptor, monitor_end.fileno(), gdb_end.fileno()],
        stdin=subprocess.DEVNULL,
    )
    monitor_end.close()
    gdb_end.close()
    try:
        running = Running(GdbStub(gdb, timeout=20), monitor, descriptor)
        running.until_prompt()
        yield running
    finally:
        process.kill()
        process.wait(timeout=20)
        monitor.close()
        gdb.close()
        os.close(descriptor)


def _start_at(stub: GdbStub, code: bytes) -> None:
    """Put ``code`` at physical CODE and let the CPU execute it next, in real mode."""
    stub.write_memory(CODE, code)
    data = bytearray(stub.registers())
    struct.pack_into("<I", data, 4 * I386_REGISTERS.index("eip"), CODE)
    struct.pack_into("<I", data, 4 * I386_REGISTERS.index("cs"), 0)
    assert stub.request(b"G" + data.hex().encode()) == b"OK"


def test_every_source_of_ram_says_the_same(qemu: Running, tmp_path: Path) -> None:
    stub = StubRam(qemu.stub, [LOW, HIGH])
    pattern = np.random.default_rng(1).bytes(10_000)
    stub.write(0x123456, pattern)
    stub.write(0x9FFFC, b"end.")
    live = LiveRam(qemu.descriptor, [Extent(r.start, len(r), r.start) for r in (LOW, HIGH)])
    qemu.command(f"dump-guest-memory {tmp_path / 'core'}")
    # The quotes keep the monitor from dividing the size by a path.
    qemu.command(f'pmemsave 0 {MEMORY} "{tmp_path / "raw"}"')
    sources: list[Ram] = [stub, live, load_core(tmp_path / "core"), load_raw(tmp_path / "raw")]
    for ram in sources:
        assert ram.read(0x123456, len(pattern)) == pattern
        assert ram.read(0x9FFFC, 4) == b"end."
        assert ram.array(0x123456, "<u2", 5000).tobytes() == pattern


def test_where_there_is_no_ram_the_stub_is_not_asked(qemu: Running) -> None:
    ram = StubRam(qemu.stub, [HIGH, LOW])
    assert ram.ranges == (LOW, HIGH)
    for address, length in ((0x9FFFF, 2), (MEMORY, 1), (0, -1)):
        with pytest.raises(AbsentMemory):
            ram.read(address, length)
    with pytest.raises(AbsentMemory):
        ram.write(MEMORY - 1, b"xx")
    assert ram.array(0, "<u4", 0).shape == (0,)


def test_registers_are_those_of_the_monitor(qemu: Running) -> None:
    said = qemu.command("info registers")
    registers = qemu.stub.i386_registers()
    assert registers["eip"] == 0xFFF0  # Intel SDM volume 3, section 9.1.4
    for name in ("eax", "edx", "esp", "eip"):
        assert f"{name.upper()}={registers[name]:08x}" in said


def test_breakpoints_steps_and_watchpoints(qemu: Running) -> None:
    stub = qemu.stub
    #      inc ax; mov [0x500], ax; inc ax; jmp $
    code = b"\x40\xa3\x00\x05\x40\xeb\xfe"
    _start_at(stub, code)
    assert stub.step().startswith("T05")
    assert stub.i386_registers()["eip"] == CODE + 1
    stub.insert_watchpoint(0x500, 2)
    stub.resume()
    assert "watch:00000500" in stub.wait_for_stop()
    assert stub.read_memory(0x500, 2) == b"\1\0"
    stub.remove_watchpoint(0x500, 2)
    stub.insert_breakpoint(CODE + 5)
    stub.resume()
    assert stub.wait_for_stop().startswith("T05")
    assert stub.i386_registers()["eip"] == CODE + 5
    assert stub.read_memory(CODE, len(code)) == code
    stub.remove_breakpoint(CODE + 5)
    stub.resume()
    with pytest.raises(StubTimeout, match=r"waited 0\.2 s for the target to stop"):
        stub.wait_for_stop(0.2)
    assert stub.interrupt().startswith("T02")
    assert stub.i386_registers()["eip"] == CODE + 5
    assert stub.stop_reason().startswith("T0")


def test_a_running_target_takes_no_requests(qemu: Running) -> None:
    _start_at(qemu.stub, b"\xeb\xfe")
    qemu.stub.resume()
    with pytest.raises(StubError, match="running"):
        qemu.stub.read_memory(0, 1)
    with pytest.raises(StubError, match="running"):
        qemu.stub.step()
    qemu.stub.interrupt()
    assert qemu.stub.read_memory(CODE, 2) == b"\xeb\xfe"


def test_refusals_are_errors(qemu: Running) -> None:
    with pytest.raises(StubRefused):
        qemu.stub.remove_breakpoint(0x1234)


def test_detaching_lets_the_guest_run(qemu: Running) -> None:
    assert "paused" in qemu.command("info status")
    _start_at(qemu.stub, b"\xeb\xfe")
    qemu.stub.detach()
    assert "running" in qemu.command("info status")


def test_no_stub_behind_a_path(tmp_path: Path) -> None:
    with pytest.raises(StubError, match="no GDB stub at"):
        GdbStub.connect(tmp_path / "nothing")


def _served(*answers: bytes | None) -> socket.socket:
    """Return a connection whose far end answers one request with each of ``answers``.

    None hangs up. QEMU never misbehaves like this; probes on a bad cable do.
    """
    near, far = socket.socketpair()

    def serve() -> None:
        reader = PacketReader()
        with far:
            for answer in answers:
                while reader.next() is None:
                    data = far.recv(4096)
                    if not data:
                        return
                    reader.feed(data)
                if answer is None:
                    return
                far.sendall(answer)
            far.recv(4096)

    threading.Thread(target=serve, daemon=True).start()
    return near


def test_a_silent_stub_is_not_waited_for_longer_than_agreed() -> None:
    with pytest.raises(StubTimeout, match=r"waited 0\.1 s for the answer to 'qSupported:'"):
        GdbStub(_served(b""), timeout=0.1)


def test_a_stub_that_hangs_up_is_gone() -> None:
    with pytest.raises(StubError, match="closed the connection"):
        GdbStub(_served(None), timeout=5)


def test_acknowledgements_are_given_up_where_the_stub_agrees() -> None:
    features = encode(b"PacketSize=400;QStartNoAckMode+")
    with GdbStub(_served(features, encode(b"OK"), encode(b"0" * 8)), timeout=5) as stub:
        assert stub.read_memory(0, 4) == bytes(4)


@pytest.mark.parametrize("answer", [b"E14", b"12", b"1234567890", b"zz"])
def test_an_answer_of_the_wrong_length_is_refused(answer: bytes) -> None:
    with (
        GdbStub(_served(encode(b""), encode(answer)), timeout=5) as stub,
        pytest.raises(StubRefused, match="no memory at 0x10, 2 bytes"),
    ):
        stub.read_memory(0x10, 2)


def test_a_nonsensical_packet_size_is_refused() -> None:
    with pytest.raises(StubError, match="packet size of 'many'"):
        GdbStub(_served(encode(b"PacketSize=many")), timeout=5)
