"""Ctrl-C that cannot get lost.

Python raises KeyboardInterrupt wherever it happens to be, and drops it where nobody could catch it
(in a finaliser, in a callback of the import system), with a traceback. So it is noted as well, long
work asks, and the traceback is kept from the user.
"""

from __future__ import annotations

import signal
import sys
from types import FrameType

_came = False


def heed_interrupts() -> None:
    """Note Ctrl-C from now on."""
    signal.signal(signal.SIGINT, _note)
    sys.unraisablehook = _tell_of_others


def raise_lost_interrupt() -> None:
    """Raise KeyboardInterrupt if Ctrl-C came and was dropped."""
    if _came:
        raise KeyboardInterrupt


def _note(number: int, frame: FrameType | None) -> None:
    global _came
    _came = True
    raise KeyboardInterrupt


def _tell_of_others(dropped: sys.UnraisableHookArgs) -> None:
    """Tell of an exception that Python drops, unless it is the one that has been noted."""
    if not issubclass(dropped.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(dropped)
