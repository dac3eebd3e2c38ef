"""How fast guest memory is decoded, and what reading it through a debugger would cost."""

from __future__ import annotations

import statistics

import numpy as np
import numpy.typing as npt

from harness.bench.machines import without_gap
from harness.bench.measurement import Measurement, seconds_of
from harness.check.inspect import control_registers
from harness.debug.mi import MiSession
from harness.decode.belief.paging import ControlRegisters
from harness.decode.decode import decode
from harness.image.kernel_image import KernelImage
from harness.machine.gdb_socket import gdb_socket
from harness.machine.guest import Guest
from harness.machine.machine import Machine
from harness.ram.protocol import Ram

_DECODES = 15
_PIECE = 64 << 10


class RecordingRam:
    """Another :class:`Ram`, and which physical bytes were read of it."""

    def __init__(self, ram: Ram) -> None:
        self._ram = ram
        self.reads: list[tuple[int, int]] = []

    @property
    def ranges(self) -> tuple[range, ...]:
        """Physical addresses at which there is RAM."""
        return self._ram.ranges

    def read(self, address: int, length: int) -> bytes:
        """Read and note it."""
        self.reads.append((address, length))
        return self._ram.read(address, length)

    def write(self, address: int, data: bytes) -> None:
        """Write."""
        self._ram.write(address, data)

    def array(self, address: int, dtype: npt.DTypeLike, count: int) -> npt.NDArray[np.generic]:
        """Read an array and note it."""
        self.reads.append((address, np.dtype(dtype).itemsize * count))
        return self._ram.array(address, dtype, count)

    def view(self, address: int) -> memoryview | None:
        """Return None: each look is to be noted."""
        return None


def measure(kernel: KernelImage) -> list[Measurement]:
    """Decode the whole state of a guest with 4 GiB; then read the same bytes through gdb.

    RAM is usable without a gap from 1 MiB almost up to the first device below 4 GiB.
    """
    with Machine(without_gap(kernel, 4 << 30)) as machine:
        guest = _ready(machine)
        registers = control_registers(guest)
        recorded = RecordingRam(guest.ram)
        decode(recorded, registers, kernel)
        seconds = _decode_seconds(guest.ram, registers, kernel)
        through_gdb = _read_through_gdb(guest, recorded.reads)
    details = {
        "MiB read": sum(length for _, length in recorded.reads) / (1 << 20),
        "gdb ms": through_gdb * 1000,
    }
    return [
        Measurement("decode_4g_ms", seconds * 1000, "ms", 150, False, {"decodes": _DECODES}),
        Measurement("decode_speedup_vs_gdb", through_gdb / seconds, "x", 100, True, details),
    ]


def _ready(machine: Machine) -> Guest:
    guest = machine.boot()
    ending = guest.run_until_ready()
    if ending.kind.value != "ready":
        raise RuntimeError(f"the machine to measure did not get ready: {ending}")
    guest.pause()
    return guest


def _decode_seconds(ram: Ram, registers: ControlRegisters, kernel: KernelImage) -> float:
    decode(ram, registers, kernel)
    return statistics.median(
        seconds_of(lambda: decode(ram, registers, kernel)) for _ in range(_DECODES)
    )


def _read_through_gdb(guest: Guest, reads: list[tuple[int, int]]) -> float:
    with gdb_socket(guest) as socket, MiSession() as gdb:
        gdb.attach(socket)
        # Physical addresses, as the decoders use them (QEMU manual, "GDB usage").
        gdb.command('-interpreter-exec console "maintenance packet Qqemu.PhyMemMode:1"')
        return seconds_of(lambda: _read_all(gdb, reads))


def _read_all(gdb: MiSession, reads: list[tuple[int, int]]) -> None:
    for address, length in reads:
        for start in range(address, address + length, _PIECE):
            gdb.read_memory(start, min(_PIECE, address + length - start))
