"""Where a plain PC has its RAM.

The addresses are those of QEMU's ``pc`` machine (``hw/i386/pc_piix.c``, ``pc_init1``), which also
hold for ``q35`` up to 2.75 GiB.
"""

from __future__ import annotations

from harness.maps.region import FOUR_GIB, MemoryType, Region

LOW_RAM_LIMIT = 0xE0000000
"""RAM below this size (3.5 GiB) lies in one piece from address 0."""

LOW_RAM_SPLIT = 0xC0000000
"""Of more RAM, this much (3 GiB) stays below the PCI hole; the rest begins at 4 GiB."""

EBDA = 0x9FC00
"""The extended BIOS data area: the last KiB of conventional memory."""

CONVENTIONAL_END = 0xA0000
"""Display memory and option ROMs follow up to the system ROM."""

ROM = 0xF0000
"""The system ROM below 1 MiB."""

EXTENDED = 0x100000
"""Memory above 1 MiB."""

FLASH = 0xFFFC0000
"""The firmware's flash, up to 4 GiB."""


def ram_ranges(memory: int) -> tuple[range, ...]:
    """Return the physical addresses at which a PC with ``memory`` bytes has RAM.

    Display memory and ROMs below 1 MiB hide the RAM behind them, but it counts.
    """
    if memory <= 0:
        raise ValueError(f"{memory} bytes are no size of RAM: expected one byte or more")
    if memory < LOW_RAM_LIMIT:
        return (range(memory),)
    above = memory - LOW_RAM_SPLIT
    return (range(LOW_RAM_SPLIT), range(FOUR_GIB, FOUR_GIB + above))


def firmware_entries(memory: int) -> tuple[Region, ...]:
    """Return what the BIOS of a PC with ``memory`` bytes of RAM reports, in its usual order."""
    low, *high = ram_ranges(memory)
    entries = [
        Region(0, min(low.stop, EBDA), MemoryType.USABLE),
        Region(EBDA, CONVENTIONAL_END - EBDA, MemoryType.RESERVED),
        Region(ROM, EXTENDED - ROM, MemoryType.RESERVED),
    ]
    if low.stop > EXTENDED:
        entries.append(Region(EXTENDED, low.stop - EXTENDED, MemoryType.USABLE))
    entries.append(Region(FLASH, FOUR_GIB - FLASH, MemoryType.RESERVED))
    entries += [Region(ram.start, len(ram), MemoryType.USABLE) for ram in high]
    return tuple(entries)
