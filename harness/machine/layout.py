"""Where QEMU's ``pc`` machine has its RAM, and where that lies in the file behind it.

Source: QEMU 7.2, ``hw/i386/pc_piix.c`` (``pc_init1``) and ``hw/i386/pc.c``.
"""

from __future__ import annotations

from harness.machine.spec import BootPath, MachineSpec
from harness.maps.pc import ram_ranges
from harness.ram.live import Extent

FOUR_GIB = 1 << 32

IO_APIC = 0xFEC00000
"""The lowest device below 4 GiB that hides RAM (``IO_APIC_DEFAULT_ADDRESS``)."""

DISPLAY_MEMORY = 0xFD000000
"""The last place below the I/O APIC where firmware can put the display's 16 MiB."""

MAX_RAM_BELOW_4G = IO_APIC + 4096
"""QEMU splits RAM of exactly this size or more at 3 GiB; less stays in one piece."""

LEGACY = range(0xA0000, 0x100000)
"""The display adapter's window, ROMs, or the RAM behind them as the chipset's registers say."""


DISPLAY_WINDOW = range(0xA0000, 0xC0000)
"""The part of it through which a display's memory is reached."""


def has_display(spec: MachineSpec) -> bool:
    """Return whether there is a display; nobody but firmware needs one unless the kernel prints."""
    on_screen = spec.kernel.description.console.device == "screen"
    return spec.boot is not BootPath.DIRECT or on_screen


def hidden(spec: MachineSpec) -> range:
    """Return where below 1 MiB something else than RAM answers.

    With firmware that is display memory, ROM, or RAM that the firmware has made read-only. On the
    direct path the ROM opens RAM, so that only a display can be in the way.
    """
    if spec.boot is not BootPath.DIRECT:
        return LEGACY
    return DISPLAY_WINDOW if has_display(spec) else range(0)


def one_piece(spec: MachineSpec) -> bool:
    """Return whether RAM beyond 3.5 GiB is to stay below 4 GiB, where a chosen map may want it.

    QEMU 7.2 aborts when nothing is left between the end of RAM and the I/O APIC, and SeaBIOS
    halts when the display's memory does not fit there.
    """
    end = IO_APIC - 1 if spec.boot is BootPath.DIRECT else DISPLAY_MEMORY
    return spec.map is not None and spec.memory <= end


def extents(spec: MachineSpec) -> tuple[Extent, ...]:
    """Return where RAM answers, in physical addresses and offsets of its file.

    What is :func:`hidden` is left out.
    """
    whole = (range(spec.memory),) if one_piece(spec) else ram_ranges(spec.memory)
    low, *high = whole
    pieces = _without(low, hidden(spec))
    found = [Extent(piece.start, len(piece), piece.start) for piece in pieces]
    found += [Extent(piece.start, len(piece), low.stop) for piece in high]
    return tuple(found)


def _without(low: range, gap: range) -> list[range]:
    if not gap:
        return [low]
    pieces = [range(min(gap.start, low.stop)), range(gap.stop, low.stop)]
    return [piece for piece in pieces if piece]
