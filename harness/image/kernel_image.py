"""A kernel as a file on disk: its segments, symbols, source lines and description."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.image.description import Description


@dataclass(frozen=True)
class Segment:
    """A PT_LOAD program header; addresses and sizes in bytes (ELF specification, chapter 2)."""

    physical: int
    virtual: int
    data: bytes
    memory_size: int
    writable: bool
    executable: bool


@dataclass(frozen=True)
class KernelImage:
    """A 32-bit Multiboot ELF; see :func:`harness.image.elf.load_kernel`."""

    path: Path
    build_id: str
    entry: int
    """Address of the first instruction as the loader jumps to it: physical."""
    segments: tuple[Segment, ...]
    description: Description
