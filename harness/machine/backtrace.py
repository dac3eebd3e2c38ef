"""Who called whom: the chain of frame pointers on the guest's stack.

With ``-fno-omit-frame-pointer`` EBP points at the caller's EBP, and the word above it is the
return address (System V ABI, i386 supplement, section 3).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from harness.image.kernel_image import KernelImage
from harness.machine.registers import Registers
from harness.ram.protocol import AbsentMemory, Ram

MAX_FRAMES = 32
PAGE = 4096


@dataclass(frozen=True)
class Frame:
    """One function that was running; ``address`` is virtual, of the next instruction in it."""

    address: int
    function: str | None = None
    offset: int = 0
    """Bytes from the function's start."""
    file: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        """Return for example ``0xc0101234 panic+0x14 (lib/panic.c:20)``."""
        text = f"0x{self.address:08x}"
        if self.function:
            text += f" {self.function}+0x{self.offset:x}"
        if self.file:
            text += f" ({self.file}:{self.line})"
        return text


def frame_at(kernel: KernelImage, address: int, returning: bool = False) -> Frame:
    """Describe a virtual code address; ``returning`` when it is behind a call."""
    # A call may be its function's last instruction: what counts is the call itself.
    inside = address - 1 if returning and address else address
    function = kernel.function_at(inside)
    source = kernel.source_line(inside)
    return Frame(
        address=address,
        function=function[0] if function else None,
        offset=function[1] + (address - inside) if function else 0,
        file=source[0] if source else None,
        line=source[1] if source else None,
    )


def backtrace(
    kernel: KernelImage,
    registers: Registers,
    ram: Ram,
    translate: Callable[[int], int | None],
) -> tuple[Frame, ...]:
    """Return the frames from EIP outward; ``translate`` takes a virtual address to a physical.

    Ends where the chain leaves RAM or does not go up the stack, and after ``MAX_FRAMES``.
    """
    callers = _return_addresses(registers.ebp, ram, translate)
    frames = [frame_at(kernel, address, returning=True) for address in callers]
    return (frame_at(kernel, registers.eip), *frames)


def _return_addresses(
    pointer: int, ram: Ram, translate: Callable[[int], int | None]
) -> Iterator[int]:
    for _ in range(MAX_FRAMES):
        saved = _word(pointer, ram, translate)
        address = _word(pointer + 4, ram, translate)
        if not address or saved is None:
            return
        yield address
        if saved <= pointer:
            return
        pointer = saved


def _word(virtual: int, ram: Ram, translate: Callable[[int], int | None]) -> int | None:
    """Return the u32 at a 4-aligned virtual address, None if there is none."""
    if virtual % 4 or virtual > 0xFFFFFFFC:
        return None
    physical = translate(virtual)
    if physical is None:
        return None
    try:
        return int.from_bytes(ram.read(physical, 4), "little")
    except AbsentMemory:
        return None
