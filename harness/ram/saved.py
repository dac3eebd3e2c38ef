"""RAM saved to a file: the ELF core of QEMU's ``dump-guest-memory``, or raw bytes.

Writing changes a private copy, never the file.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from harness.ram.mapped import Extent, MappedRam
from harness.ram.protocol import RamError


def load_raw(path: Path, start: int = 0) -> MappedRam:
    """Return the bytes of ``path`` as RAM from physical address ``start`` on."""
    memory = _map(path)
    return MappedRam(memory, [Extent(start, len(memory), 0)])


def load_core(path: Path) -> MappedRam:
    """Return the RAM in an ELF core, 32-bit or 64-bit, by its segments' physical addresses."""
    memory = _map(path)
    try:
        with path.open("rb") as file:
            return MappedRam(memory, list(_extents(ELFFile(file))))
    except (ELFError, ValueError) as error:
        memory.close()
        raise RamError(f"{path}: not a usable ELF core: {error}") from None


def _map(path: Path) -> mmap.mmap:
    try:
        with path.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    except OSError as error:
        raise RamError(f"{path}: {error.strerror}") from None
    except ValueError:
        raise RamError(f"{path}: empty") from None


def _extents(elf: Any) -> Iterator[Extent]:
    if elf["e_type"] != "ET_CORE":
        raise ValueError(f"its type is {elf['e_type']}, not ET_CORE")
    for segment in elf.iter_segments("PT_LOAD"):
        yield Extent(segment["p_paddr"], segment["p_filesz"], segment["p_offset"])
