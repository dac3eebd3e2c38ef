"""Bugs to look for, as changes to the kernel's source."""

from __future__ import annotations

from harness.image.kernel_image import KernelImage
from tests.kernel.planted import SourceCopy


def rounds_the_start_down(source: SourceCopy) -> KernelImage:
    """Usable memory that begins within a frame takes all of it."""
    right = "pfn_t first_up = PHYS_TO_PFN(start + PAGE_SIZE - 1), last_up"
    return source.plant("mm/firmware_map.c", right, "pfn_t first_up = PHYS_TO_PFN(start), last_up")


def counts_too_little(source: SourceCopy) -> KernelImage:
    """The counter of free frames takes any large block for one of four frames."""
    right = "zone->free_frames -= 1u << order;\n    zone->allocations++;"
    wrong = "zone->free_frames -= order < 2 ? 1u << order : 4;\n    zone->allocations++;"
    return source.plant("mm/frames/buddy.c", right, wrong)


def waits_for_more_memory(source: SourceCopy) -> KernelImage:
    """A machine with less than 16 MiB of usable memory hangs."""
    right = "    say_losses(&losses);\n    uint32_t frames = firmware_map_count("
    wait = "    if (firmware_map_count(0, PHYS_TO_PFN(ADDRESS_LIMIT)) < 4000)\n        for (;;)\n"
    return source.plant("mm/firmware_map.c", right, f'{wait}            __asm__("");\n{right}')
