"""What all notations share: errors with a position, numbers, names of types."""

from __future__ import annotations

import re

from harness.maps.region import ADDRESS_SPACE, MemoryType, Region

SUFFIXES = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}

_HEX = re.compile(r"(?:0[xX])?([0-9a-fA-F]{1,17})")
_SCALED = re.compile(r"([0-9]{1,20})([KMGT])(?:i?B)?", re.IGNORECASE)

TYPE_NAMES = {
    "usable": MemoryType.USABLE,
    "ram": MemoryType.USABLE,
    "reserved": MemoryType.RESERVED,
    "acpi": MemoryType.ACPI,
    "nvs": MemoryType.NVS,
    "bad": MemoryType.BAD,
    "unusable": MemoryType.BAD,
}


class MapSyntaxError(ValueError):
    """Text that is no memory map, with the place; ``line`` and ``column`` count from 1."""

    def __init__(self, filename: str, line: int, column: int, message: str) -> None:
        super().__init__(f"{filename}:{line}:{column}: {message}")
        self.filename = filename
        self.line = line
        self.column = column
        self.message = message


def error_at(filename: str, text: str, offset: int, message: str) -> MapSyntaxError:
    """Return the error for the character at ``offset`` of ``text``."""
    line_start = text.rfind("\n", 0, offset) + 1
    line = text.count("\n", 0, offset) + 1
    return MapSyntaxError(filename, line, offset - line_start + 1, message)


def number(text: str) -> int | None:
    """Return a number of bytes, or None: ``9fc00`` and ``0x9fc00`` are hexadecimal, ``64M`` not.

    A suffix is K, M, G or T, a power of 1024; ``KiB`` and ``KB`` are the same.
    """
    if found := _HEX.fullmatch(text):
        return int(found[1], 16)
    if found := _SCALED.fullmatch(text):
        return int(found[1]) * SUFFIXES[found[2].upper()]
    return None


def type_number(text: str) -> int | None:
    """Return the type that a name, or a number (decimal, or with 0x), stands for, or None."""
    if text.lower() in TYPE_NAMES:
        return int(TYPE_NAMES[text.lower()])
    if re.fullmatch(r"[0-9]{1,10}", text):
        value = int(text)
    elif re.fullmatch(r"0[xX][0-9a-fA-F]{1,8}", text):
        value = int(text, 16)
    else:
        return None
    return value if value < 1 << 32 else None


def region_from_to(start: int, end: int, type_: int) -> Region:
    """Return the region from ``start`` up to but not including ``end``; raise ValueError."""
    if end < start:
        raise ValueError(f"the end 0x{end:x} lies before the start 0x{start:x}")
    if end > ADDRESS_SPACE:
        raise ValueError(f"the end 0x{end:x} lies behind 2**64")
    return Region(start, end - start, type_)
