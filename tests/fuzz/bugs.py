"""Bugs to look for, as changes to the kernel's source."""

from __future__ import annotations

from harness.image.kernel_image import KernelImage
from tests.kernel.planted import SourceCopy


def rounds_the_start_down(source: SourceCopy) -> KernelImage:
    """Usable memory that begins within a frame takes all of it."""
    right = "pfn_t first_up = PHYS_TO_PFN(start + PAGE_SIZE - 1), last_up"
    return source.plant("mm/firmware_map.c", right, "pfn_t first_up = PHYS_TO_PFN(start), last_up")
