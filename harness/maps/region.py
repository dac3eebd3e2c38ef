"""A range of physical addresses with the type that the firmware gives it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

PAGE_SIZE = 4096
"""Bytes in a page frame of every x86 paging mode."""

ADDRESS_SPACE = 1 << 64
"""Bytes that a 64-bit ``base`` can name; a region that goes on behind it has wrapped."""

FOUR_GIB = 1 << 32
"""Bytes that 32-bit physical addresses reach."""

TYPES = 1 << 32
"""Values of a ``type``."""


class MemoryType(IntEnum):
    """Address range types (ACPI specification 6.5, table 15.8; Multiboot 0.6.96, section 3.3).

    Any other 32-bit value occurs in the field too and means: not usable.
    """

    USABLE = 1
    RESERVED = 2
    ACPI = 3
    """ACPI tables; usable once the tables have been read."""
    NVS = 4
    """ACPI non-volatile storage: firmware owns it, also across sleep."""
    BAD = 5
    """RAM in which errors were found."""


@dataclass(frozen=True, order=True)
class Region:
    """Physical memory from ``base`` (u64), ``length`` (u64) bytes of it, of ``type`` (u32).

    Zero lengths, and ranges that wrap at 2**64, are kept as the firmware gave them.
    """

    base: int
    length: int
    type: int

    def __post_init__(self) -> None:
        """Raise ValueError for a value that a firmware's entry cannot hold."""
        if 0 <= self.base < ADDRESS_SPACE > self.length >= 0 <= self.type < TYPES:
            return  # regions are made by the thousand
        for name, value, limit in (
            ("base", self.base, ADDRESS_SPACE),
            ("length", self.length, ADDRESS_SPACE),
            ("type", self.type, TYPES),
        ):
            if not 0 <= value < limit:
                bits = limit.bit_length() - 1
                raise ValueError(f"{name} {value:#x} is no unsigned {bits}-bit number")

    @property
    def end(self) -> int:
        """The first address behind the region; more than 2**64 when it wraps."""
        return self.base + self.length

    @property
    def usable(self) -> bool:
        """Whether the firmware calls it available RAM."""
        return self.type == MemoryType.USABLE

    def contains(self, address: int) -> bool:
        """Return whether the byte at physical ``address`` belongs to the region."""
        return self.base <= address < self.end

    def intersects(self, other: Region) -> bool:
        """Return whether the regions have a byte in common."""
        return max(self.base, other.base) < min(self.end, other.end)

    def __str__(self) -> str:
        """Return for example ``[0x0, 0x9fc00) usable``."""
        return f"[{self.base:#x}, {self.end:#x}) {type_name(self.type)}"


def type_name(number: int) -> str:
    """Return ``usable``, ``reserved``, ``acpi``, ``nvs``, ``bad``, or ``type N``."""
    try:
        return MemoryType(number).name.lower()
    except ValueError:
        return f"type {number}"
