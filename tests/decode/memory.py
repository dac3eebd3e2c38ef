"""RAM out of nothing but bytes, and a kernel's image lying in it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.decode.address_space import AddressSpace
from harness.decode.belief.paging import ControlRegisters
from harness.decode.context import Context
from harness.decode.expression import Evaluator
from harness.decode.page_tables import decode_page_tables
from harness.image.kernel_image import KernelImage
from harness.ram.protocol import AbsentMemory


class ByteRam:
    """Physical memory at some addresses, zero to begin with."""

    def __init__(self, *ranges: range) -> None:
        self.ranges = tuple(ranges)
        self._banks = [(r, bytearray(len(r))) for r in ranges]

    def _find(self, address: int, length: int) -> tuple[bytearray, int]:
        for where, data in self._banks:
            if where.start <= address and address + length <= where.stop:
                return data, address - where.start
        raise AbsentMemory(address, length)

    def read(self, address: int, length: int) -> bytes:
        data, offset = self._find(address, length)
        return bytes(data[offset : offset + length])

    def write(self, address: int, data: bytes) -> None:
        bank, offset = self._find(address, len(data))
        bank[offset : offset + len(data)] = data

    def array(self, address: int, dtype: npt.DTypeLike, count: int) -> npt.NDArray[np.generic]:
        kind = np.dtype(dtype)
        data, offset = self._find(address, kind.itemsize * count)
        found = np.frombuffer(data, kind, count, offset) if count else np.empty(0, kind)
        found.flags.writeable = False
        return found

    def view(self, address: int) -> memoryview | None:
        try:
            data, offset = self._find(address, 1)
        except AbsentMemory:
            return None
        return memoryview(data).toreadonly()[offset:]

    def word(self, address: int) -> int:
        return int.from_bytes(self.read(address, 4), "little")

    def set_word(self, address: int, value: int) -> None:
        self.write(address, (value % (1 << 32)).to_bytes(4, "little"))

    def set_entries(self, table: int, entries: Iterable[int], size: int) -> None:
        for index, entry in enumerate(entries):
            self.write(table + index * size, entry.to_bytes(size, "little"))


UNPAGED = ControlRegisters(cr0=1, cr3=0, cr4=0)


@dataclass(frozen=True)
class Loaded:
    """A kernel's image in memory, with paging off: its variables are at their own addresses."""

    kernel: KernelImage
    ram: ByteRam
    context: Context

    def address(self, name: str) -> int:
        return self.kernel.types.variable(name)[0]

    def offset(self, struct: str, member: str) -> int:
        return self.kernel.types.lookup(struct).member(member).offset


def load(kernel: KernelImage) -> Loaded:
    """Put the image of a kernel whose virtual addresses are its physical ones into memory."""
    end = max(s.virtual + s.memory_size for s in kernel.segments)
    ram = ByteRam(range(0x100000, end + 0xFFF & ~0xFFF))
    for segment in kernel.segments:
        ram.write(segment.virtual, segment.data)
    space = AddressSpace(ram, decode_page_tables(ram, UNPAGED))
    return Loaded(kernel, ram, Context(ram, kernel, space, Evaluator(kernel, space)))
