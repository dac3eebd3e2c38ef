"""Opening a kernel's DWARF, and what reading a damaged one may raise."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator
from io import BytesIO
from typing import Any

from elftools.common.exceptions import DWARFError, ELFError
from elftools.elf.elffile import ELFFile

DAMAGED = (
    ELFError,
    DWARFError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    NotImplementedError,
    RecursionError,
    TypeError,
    ValueError,
)
"""pyelftools trusts its input: garbage comes out as any of these."""


def open_dwarf(contents: bytes) -> Any | None:
    """Return pyelftools' ``DWARFInfo`` of an ELF file, or None when it has none."""
    if not contents:
        return None
    elf = ELFFile(BytesIO(contents))
    if not elf.has_dwarf_info() or elf.get_section_by_name(".debug_info") is None:
        return None
    return elf.get_dwarf_info(follow_links=False)


def text(value: bytes) -> str:
    """Decode a name in DWARF: UTF-8 by the standard, anything in practice."""
    return value.decode("utf-8", "backslashreplace")


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Keep Python's cyclic garbage collector away from what allocates much and frees nothing.

    It would walk all objects of the process again and again: half of the time in a large one.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
