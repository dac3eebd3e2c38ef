"""Ctrl-C, SIGTERM and SIGHUP that cannot get lost.

Python raises what stops us wherever it happens to be, and drops it where nobody could catch it (in
a finaliser, in a callback of the import system), with a traceback. So it is noted as well, long
work asks, and the traceback is kept from the user.
"""

from __future__ import annotations

import signal
import sys
from types import FrameType

from harness.machine.signals import STOPS

_came: int | None = None


class Terminated(SystemExit):
    """SIGTERM came: end by way of every ``finally``, as no machine may outlive us."""


def heed_stops() -> None:
    """Note the signals that ask us to stop, from now on; ``nohup`` has the last word on its own."""
    for number in STOPS:
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _note)
    sys.unraisablehook = _tell_of_others


def raise_lost_stop() -> None:
    """Raise what a signal that came should have raised, if that was dropped."""
    if _came is not None:
        raise _exception(_came)


def _note(number: int, frame: FrameType | None) -> None:
    global _came
    _came = number
    raise _exception(number)


def _exception(number: int) -> BaseException:
    if number == signal.SIGINT:
        return KeyboardInterrupt()
    kind = Terminated if number == signal.SIGTERM else SystemExit
    return kind(128 + number)  # as shells have it


def _tell_of_others(dropped: sys.UnraisableHookArgs) -> None:
    """Tell of an exception that Python drops, unless it is the one that has been noted."""
    if not issubclass(dropped.exc_type, KeyboardInterrupt | SystemExit):
        sys.__unraisablehook__(dropped)
