"""What was in RAM before the kernel's first instruction, and who put it there."""

from __future__ import annotations

from harness.debug.history import WORD
from harness.image.kernel_image import KernelImage
from harness.machine.guest import Guest
from harness.machine.spec import Fill, FillKind


def source_of(guest: Guest, physical: int) -> str:
    """Say what put the word at ``physical`` there, of a guest at its kernel's entry."""
    for placement in guest.placements:
        if _overlaps(physical, placement.start, placement.length):
            return f"the boot loader's {placement.name}"
    return _in_image(guest.kernel, physical) or _fill(guest.spec.fill)


def _in_image(kernel: KernelImage, physical: int) -> str | None:
    for segment in kernel.segments:
        if _overlaps(physical, segment.physical, segment.memory_size):
            beyond = physical - segment.physical >= len(segment.data)
            return "the kernel image's zeroes (.bss)" if beyond else "the kernel image"
    return None


def _fill(fill: Fill) -> str:
    if fill.kind is FillKind.ZERO:
        return "nobody: RAM is zero at power-on"
    return f"nobody: RAM is filled with {fill.kind.value} at power-on"


def _overlaps(physical: int, start: int, length: int) -> bool:
    return physical < start + length and start < physical + WORD
