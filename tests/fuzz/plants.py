"""The bugs of ``plants.toml``: what each is, and the kernel with it."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from harness.image.kernel_image import KernelImage
from tests.kernel.planted import SourceCopy

SECTIONS = {
    "map": "Multiboot map",
    "arithmetic": "regions and frame numbers",
    "memblock": "bump allocator",
    "bitmap": "reservations and bitmaps",
    "buddy": "buddy",
    "paging": "paging",
    "heap": "heaps",
    "slab": "slab",
    "hand-over": "hand-over",
}


@dataclass(frozen=True)
class Plant:
    """One bug, as one replacement in the kernel's source."""

    name: str
    section: str
    defect: str
    """What is wrong, in words."""
    breaks: str
    """Properties of ``docs/invariants.md``."""
    file: str
    right: str
    wrong: str

    def build(self, source: SourceCopy) -> KernelImage:
        """Return the kernel with this bug."""
        return source.plant(self.file, self.right, self.wrong)


@cache
def plants() -> tuple[Plant, ...]:
    """Return all bugs that there are to plant."""
    document = tomllib.loads(Path(__file__).with_name("plants.toml").read_text())
    return tuple(Plant(**table) for table in document["plants"])
