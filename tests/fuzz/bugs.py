"""Bugs to look for, as changes to the kernel's source."""

from __future__ import annotations

from dataclasses import dataclass

from harness.image.kernel_image import KernelImage
from tests.kernel.planted import SourceCopy


def rounds_the_start_down(source: SourceCopy) -> KernelImage:
    """Usable memory that begins within a frame takes all of it."""
    right = "pfn_t first_up = PHYS_TO_PFN(start + PAGE_SIZE - 1), last_up"
    return source.plant("mm/firmware_map.c", right, "pfn_t first_up = PHYS_TO_PFN(start), last_up")


@dataclass(frozen=True)
class Bug:
    """A defect as a change to the kernel's source."""

    name: str
    file: str
    """Below the kernel's folder; it has ``right`` exactly once."""
    right: str
    wrong: str


DEEP = (
    Bug(
        "a part of one page is forgotten when a region is cut",
        "mm/early/memblock.c",
        "if (whole.start < start)",
        "if (whole.start + PAGE_SIZE < start)",
    ),
    Bug(
        "a size class is used for one byte more",
        "mm/heap/malloc.c",
        "class_size(class) < size)",
        "class_size(class) + 1 < size)",
    ),
    Bug(
        "a free list is cut behind what is taken out of it",
        "mm/frames/pair_list.c",
        "word_write(NEXT_OF(node.previous), node.next);",
        "word_write(NEXT_OF(node.previous), 0);",
    ),
    Bug(
        "a freed run is not joined with the one in front",
        "mm/heap/subblock_map.c",
        "while (map->values[start - 1] == SUBBLOCK_FREE)",
        "while (end > map->count && map->values[start - 1] == SUBBLOCK_FREE)",
    ),
    Bug(
        "the bytes of a large block wrap at 4 GiB",
        "mm/heap/large_block.c",
        "return size > SIZE_MAX - overhead ? 0 : frames_granted((size + overhead) / PAGE_SIZE);",
        "return frames_granted((size + overhead) / PAGE_SIZE);",
    ),
)
"""Bugs that no first hundred of cases shows."""
