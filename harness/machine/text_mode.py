"""How firmware leaves the display: VGA text mode 3, as a list of port writes for the ROM.

Source: IBM PS/2 Hardware Interface Technical Reference, Video Subsystem (1992): the values of mode
03 with 400 scan lines, which every VGA BIOS sets, and the order in which registers may be written.
"""

from __future__ import annotations

from struct import pack

MISCELLANEOUS, SEQUENCER, GRAPHICS, CRT, ATTRIBUTE = 0x3C2, 0x3C4, 0x3CE, 0x3D4, 0x3C0
"""Ports: the miscellaneous output register, and index registers with data at + 1."""
PALETTE_INDEX, PALETTE_DATA = 0x3C8, 0x3C9
ATTRIBUTE_RESET = 0x3DA
"""Read before writes to the attribute controller, which has one port for index and data."""
SHOW = 0x20
"""Index of the attribute controller that gives the palette to the display."""
BLANK = 0x0720
"""A cell with a blank, light grey on black."""
MEMORY, CELLS = 0xB8000, 0x4000
"""Of text: physical address, and the number of cells in its 32 KiB."""

_SEQUENCER = bytes.fromhex("03 00 03 00 02")
_CRT = bytes.fromhex("5f 4f 50 82 55 81 bf 1f 00 4f 0d 0e 00 00 00 00 9c 8e 8f 28 1f 96 b9 a3 ff")
_GRAPHICS = bytes.fromhex("00 00 00 00 00 10 0e 00 ff")
_ATTRIBUTE = bytes.fromhex("00 01 02 03 04 05 14 07 38 39 3a 3b 3c 3d 3e 3f 0c 00 0f 08 00")


def port_writes() -> list[tuple[int, int]]:
    """Return (port, byte) in the order of writing."""
    writes = [(MISCELLANEOUS, 0x67)]
    for port, values in ((SEQUENCER, _SEQUENCER), (CRT, _CRT), (GRAPHICS, _GRAPHICS)):
        for index, value in enumerate(values):
            writes += [(port, index), (port + 1, value)]
    for index, value in enumerate(_ATTRIBUTE):
        writes += [(ATTRIBUTE, index), (ATTRIBUTE, value)]
    writes += [(ATTRIBUTE, SHOW), (PALETTE_INDEX, 0)]
    return writes + [(PALETTE_DATA, part) for colour in range(64) for part in _colour(colour)]


def _colour(number: int) -> tuple[int, ...]:
    """Return red, green and blue of one of the 64 colours: bits 2-0 are strong, 5-3 weak."""
    return tuple(0x2A * (number >> bit & 1) + 0x15 * (number >> (bit + 3) & 1) for bit in (2, 1, 0))


def table() -> bytes:
    """Return the writes as the ROM's loop reads them: 16 bits of port, 8 of value."""
    return b"".join(pack("<HB", port, value) for port, value in port_writes())
