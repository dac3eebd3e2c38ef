"""Ctrl-C that cannot get lost.

Python raises KeyboardInterrupt wherever it happens to be, and drops it where nobody could catch it
(in a finaliser, in a callback of the import system). So it is noted as well, and long work asks.
"""

from __future__ import annotations

import signal
from types import FrameType

_came = False


def heed_interrupts() -> None:
    """Note Ctrl-C from now on."""
    signal.signal(signal.SIGINT, _note)


def raise_lost_interrupt() -> None:
    """Raise KeyboardInterrupt if Ctrl-C came and was dropped."""
    if _came:
        raise KeyboardInterrupt


def _note(number: int, frame: FrameType | None) -> None:
    global _came
    _came = True
    raise KeyboardInterrupt
