"""What the display shows in text mode."""

from __future__ import annotations

import re

from harness.machine.vm import Vm

TEXT = 0xB8000
COLUMNS, LINES = 80, 25
"""Of VGA mode 3, in which firmware leaves the display: a character and a colour for each cell."""


def screen_text(vm: Vm) -> str:
    """Return the lines on the screen that are not blank; nothing where there is no display."""
    dump = vm.qmp.human(f"xp /{COLUMNS * LINES}xh 0x{TEXT:x}")
    cells = [int(word, 16) & 0xFF for word in re.findall(r"0x([0-9a-f]{4})\b", dump)]
    text = "".join(chr(cell) if 0x20 <= cell < 0x7F else " " for cell in cells)
    lines = (text[at : at + COLUMNS].rstrip() for at in range(0, len(text), COLUMNS))
    return "\n".join(line for line in lines if line)
