"""Addresses at which memory managers go wrong: where something begins, ends or wraps."""

from __future__ import annotations

from harness.image.kernel_image import KernelImage
from harness.maps.region import ADDRESS_SPACE, FOUR_GIB, PAGE_SIZE

MEBIBYTE = 1 << 20

_OF_EVERY_PC = (
    0,
    PAGE_SIZE,
    0x9FC00,  # where the EBDA begins, most of the time
    0xA0000,
    MEBIBYTE,
    15 * MEBIBYTE,
    16 * MEBIBYTE,
    FOUR_GIB // 4 * 3,
    FOUR_GIB - PAGE_SIZE,
    FOUR_GIB,
    ADDRESS_SPACE - PAGE_SIZE,
    ADDRESS_SPACE - 1,
)


def borders(kernel: KernelImage, memory: int) -> tuple[int, ...]:
    """Return physical addresses of interest to ``kernel`` on a machine with ``memory`` bytes."""
    image = kernel.image_range()
    zones = [zone.end for zone in kernel.description.zones]
    found = {*_OF_EVERY_PC, image.start, image.stop, memory, memory - PAGE_SIZE, *zones}
    return tuple(sorted(address for address in found if 0 <= address < ADDRESS_SPACE))
