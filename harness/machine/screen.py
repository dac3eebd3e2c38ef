"""What the display shows in text mode.

The layout is that of the VGA's mode 3, in which firmware leaves the display and in which kernels
print: 80 by 25 cells at physical 0xB8000, each a character of code page 437 and an attribute
(IBM VGA Technical Reference, chapter 2; the registers' numbers are its).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.machine.errors import MachineError
from harness.machine.vm import Vm

TEXT = 0xB8000
TEXT_BYTES = 0x8000
"""Display memory that text mode 3 shows a part of."""
COLUMNS, LINES = 80, 25

GRAPHICS, CRT = 0x3CE, 0x3D4
"""Ports of the index registers of the graphics and the CRT controller; data at + 1."""
MISCELLANEOUS = 6
"""Of the graphics controller: bit 0 is graphics mode, bits 2-3 are 3 for memory at 0xB8000."""
MODE_BITS, TEXT_AT_B8000 = 0b1101, 0b1100
CURSOR_START = 0x0A
"""Of the CRT controller: bit 5 hides the cursor."""
CURSOR_HIDDEN = 0x20
START, CURSOR = 0x0C, 0x0E
"""High bytes, in cells, of what the screen begins with and where the cursor is; low at + 1."""

_SYMBOLS = " ☺☻♥♦♣♠•◘○◙♂♀♪♫☼►◄↕‼¶§▬↨↑↓→←∟↔▲▼"
"""Code page 437 from 0 to 0x1F, as a display shows it."""
_GLYPHS = _SYMBOLS + bytes(range(0x20, 0x7F)).decode("cp437") + "⌂"
_GLYPHS += bytes(range(0x80, 0x100)).decode("cp437").replace("\xa0", " ")


class NoScreen(MachineError):
    """There is no display, or it is in no text mode."""


@dataclass(frozen=True)
class ScreenText:
    """What stood on the screen at one moment."""

    rows: tuple[str, ...]
    """All 25, from the top, without blanks at their ends."""
    attributes: npt.NDArray[np.uint8]
    """By row and column: bits 0-3 the foreground's colour, 4-6 the background's, 7 blinking."""
    cursor: tuple[int, int] | None
    """Row and column from 0; None when it is hidden or outside."""

    def __str__(self) -> str:
        """Return the rows down to the last one that is not blank."""
        return "\n".join(self.rows).rstrip("\n")


class Screen:
    """The text screen of one guest."""

    def __init__(self, vm: Vm, display: bool, wait: Callable[[str, float], str]) -> None:
        self.present = display
        """Whether the machine has a display at all: see ``[console] device`` of a description."""
        self._vm = vm
        self._wait = wait

    def look(self) -> ScreenText:
        """Return what is shown now; the guest is paused for that, and goes on if it did before.

        Raise :class:`NoScreen`.
        """
        self._require()
        running = self._vm.running
        self._vm.pause()
        try:
            return _read(self._vm)
        finally:
            if running:
                self._vm.resume()

    @property
    def text(self) -> str:
        """What is shown now, without blanks at its ends; raises :class:`NoScreen`."""
        return str(self.look())

    def wait_for_line(self, pattern: str, timeout: float = 10.0) -> str:
        """Let the guest run until a row of the screen matches a regular expression; return the row.

        One that is there already counts. The screen is looked at every few milliseconds: what
        scrolls away faster is missed. ``timeout`` is in CPU seconds. Raise
        :class:`harness.machine.errors.GuestEnded` when the guest ends before or does not show it in
        time, and :class:`NoScreen`.
        """
        self._require()
        return self._wait(pattern, timeout)

    def _require(self) -> None:
        if not self.present:
            raise NoScreen(
                "this machine has no display: on the direct path it is there when the kernel's "
                'description says [console] device = "screen"; the other paths always have one'
            )


def shown_rows(vm: Vm) -> tuple[str, ...]:
    """Return the screen's rows, read without stopping the guest.

    Registers are not looked at: the screen is taken to begin where display memory does, and a
    display in another mode than text, or none, gives rows that mean nothing.
    """
    return _rows(_cells(vm, 0))


def screen_text(vm: Vm) -> str:
    """Return the rows that are not blank, as :func:`shown_rows` reads them."""
    return "\n".join(row for row in shown_rows(vm) if row)


def _read(vm: Vm) -> ScreenText:
    if _register(vm, GRAPHICS, MISCELLANEOUS) & MODE_BITS != TEXT_AT_B8000:
        raise NoScreen("the display is in no text mode with its memory at 0xb8000")
    start = _pair(vm, START)
    cells = _cells(vm, start)
    cursor = divmod(_pair(vm, CURSOR) - start, COLUMNS)
    hidden = _register(vm, CRT, CURSOR_START) & CURSOR_HIDDEN or not 0 <= cursor[0] < LINES
    attributes = (cells >> 8).astype(np.uint8).reshape(LINES, COLUMNS)
    return ScreenText(_rows(cells), attributes, None if hidden else cursor)


def _cells(vm: Vm, start: int) -> npt.NDArray[np.uint16]:
    """Return character and attribute of each cell, from ``start`` cells into display memory."""
    if vm.display_is_old():
        return np.zeros(COLUMNS * LINES, dtype=np.uint16)
    offset = min(2 * start, TEXT_BYTES - 2 * COLUMNS * LINES)
    dump = vm.qmp.human(f"xp /{COLUMNS * LINES}xh 0x{TEXT + offset:x}")
    words = [int(word, 16) for word in re.findall(r"0x([0-9a-f]{4})\b", dump)]
    return np.array(words, dtype=np.uint16)


def _rows(cells: npt.NDArray[np.uint16]) -> tuple[str, ...]:
    text = "".join(_GLYPHS[one & 0xFF] for one in cells.tolist())
    return tuple(text[at : at + COLUMNS].rstrip() for at in range(0, len(text), COLUMNS))


def _pair(vm: Vm, register: int) -> int:
    return _register(vm, CRT, register) << 8 | _register(vm, CRT, register + 1)


def _register(vm: Vm, port: int, index: int) -> int:
    """Return a register behind an index register, which is left as the guest has set it."""
    before = _port(vm, port)
    vm.qmp.human(f"o /b 0x{port:x} 0x{index:x}")
    value = _port(vm, port + 1)
    vm.qmp.human(f"o /b 0x{port:x} 0x{before:x}")
    return value


def _port(vm: Vm, port: int) -> int:
    found = re.search(r"= 0x([0-9a-f]+)", vm.qmp.human(f"i /b 0x{port:x}"))
    return int(found[1], 16) if found else 0
