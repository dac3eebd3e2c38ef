"""Colour as gdb has it: addresses look like those that gdb itself prints."""

from __future__ import annotations

import os
import re

import gdb

_ADDRESS = re.compile(r"\b0x[0-9a-f]+\b")
_COLOURS = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
_PLAIN = "\x1b[m"


def styled(text: str) -> str:
    """Return a text for gdb's terminal; unchanged where gdb shows no styles."""
    colour = _colour()
    if colour is None:
        return text
    return _ADDRESS.sub(lambda found: f"\x1b[{30 + colour}m{found[0]}{_PLAIN}", text)


def _colour() -> int | None:
    """Return the colour of gdb's addresses, None when it is not to show any."""
    if not gdb.parameter("style enabled") or os.environ.get("TERM", "dumb") == "dumb":
        return None
    if not os.isatty(1):
        return None
    name = str(gdb.parameter("style address foreground"))
    return _COLOURS.index(name) if name in _COLOURS else None
