"""A guest stopped before its early allocator hands over, whose functions a debugger can call."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from harness.image.kernel_image import KernelImage
from harness.machine.ending import Ending
from harness.machine.errors import GuestEnded
from harness.machine.guest import Guest
from harness.machine.pool import Pool
from harness.machine.spec import MachineSpec
from harness.ram.gdb_stub import GdbStub
from tests.kernel.layouts import layout_of
from tests.kernel.session import MIB, PAGE

HAND_OVER = "early_hand_over"
ESP, EIP = 4, 8
"""Places of registers in an i386's ``g`` packet: GDB's i386-32bit-core.xml."""
ENDED = 30.0
"""Seconds that a call may take."""


@dataclass
class Early:
    """A guest whose early allocator is in charge."""

    guest: Guest
    stub: GdbStub

    @property
    def base(self) -> int:
        """Virtual address of physical 0 in the direct map."""
        return layout_of(self.guest.kernel).base

    def call(self, function: str, *arguments: int) -> int:
        """Call a C function of the kernel with 32-bit arguments; return EAX.

        By the System V ABI, i386 supplement: arguments on the stack, the first nearest to the
        return address, ESP + 4 a multiple of 16 at the entry. The way back leads to the function
        before which the guest was stopped.
        """
        registers = self.stub.i386_registers()
        frame = struct.pack(f"<{1 + len(arguments)}I", registers["eip"], *arguments)
        stack = (registers["esp"] - 128) // 16 * 16 - 4
        self.stub.write_memory(stack, frame)
        before = self.stub.registers()
        self._set(before, {ESP: stack, EIP: self.guest.kernel.symbol(function)})
        self.stub.insert_breakpoint(registers["eip"])
        self.stub.resume()
        self.stub.wait_for_stop(ENDED)
        self.stub.remove_breakpoint(registers["eip"])
        result = self.stub.i386_registers()
        assert result["eip"] == registers["eip"], f"{function} did not return"
        self._set(before, {})
        return result["eax"]

    def panic(self, function: str, *arguments: int) -> Ending:
        """Call a function that must panic; return how the guest ended."""
        try:
            result = self.call(function, *arguments)
        except AssertionError:
            try:
                self.guest.wait_for_line("^panic: end never comes as a wanted line$")
            except GuestEnded as ended:
                return ended.ending
        raise AssertionError(f"the kernel survived {function}: {result:#x}")

    def _set(self, registers: bytes, changes: dict[int, int]) -> None:
        """Write all registers, some of them changed."""
        data = bytearray(registers)
        for number, value in changes.items():
            data[4 * number : 4 * number + 4] = value.to_bytes(4, "little")
        assert self.stub.request(b"G" + bytes(data).hex().encode()) == b"OK"

    def _words(self, virtual: int, count: int) -> tuple[int, ...]:
        return struct.unpack(f"<{count}I", self.guest.ram.read(virtual - self.base, 4 * count))

    def word(self, variable: str) -> int:
        """Return a 32-bit variable of the kernel."""
        return self._words(self.guest.kernel.symbol(variable), 1)[0]

    def taken(self) -> set[int]:
        """Return the frames whose bits bootmem has set, up to the end of the bitmap's last word."""
        bitmap, frames, free = self._words(self.word("bootmem"), 3)
        words = self._words(bitmap, -(-frames // 32))
        found = {32 * i + bit for i, word in enumerate(words) for bit in range(32)
                 if word >> bit & 1}  # fmt: skip
        assert 32 * len(words) - len(found) == free
        return found

    def bitmap_frames(self) -> range:
        """Return the frames that hold bootmem's bitmap."""
        bitmap, frames, _ = self._words(self.word("bootmem"), 3)
        first = (bitmap - self.base) // PAGE
        return range(first, first + -(-frames // (8 * PAGE)))


def usable_frames(early: Early) -> set[int]:
    """Return the frames that the map says are RAM."""
    return {frame for frames in early.guest.memory_map.usable_frames() for frame in frames}


def reserved_frames(early: Early) -> set[int]:
    """Return the frames that hold something before anything is allocated; frame 0 is one."""
    guest = early.guest
    image = guest.kernel.image_range()
    found = {0, *_outward(image.start, len(image))}
    for placement in guest.placements:
        found.update(_outward(placement.start, placement.length))
    return found


def frame_table_frames(early: Early) -> set[int]:
    """Return the frames of the frame table, whose elements have 16 bytes."""
    first = (early.word("mem_map") - early.base) // PAGE
    return set(range(first, first + -(-(max(usable_frames(early)) + 1) * 16 // PAGE)))


def _outward(start: int, length: int) -> range:
    return range(start // PAGE, -(-(start + length) // PAGE))


@contextlib.contextmanager
def stopped(
    kernel: KernelImage, pool: Pool, memory: int = 32 * MIB, **spec: Any
) -> Iterator[Early]:
    """Boot on a warm machine until the early allocator is about to hand over."""
    with pool.boot(MachineSpec(kernel, memory, **spec)) as guest:
        guest.stop_before(HAND_OVER)
        with guest.stub() as stub:
            yield Early(guest, stub)
