"""Where the ``harness`` command begins and ends, whatever happens in between."""

from __future__ import annotations

import os
import signal
import sys

from harness.cli.interrupt import heed_stops

INTERRUPTED = 128 + signal.SIGINT  # as shells have it


def main() -> None:
    """Run the command and exit with its code; Ctrl-C at any moment ends in one sentence."""
    _open_standard_streams()
    heed_stops()
    try:
        # Not at the top: loading takes long enough for somebody to press Ctrl-C.
        from harness.cli.group import run_command

        code = run_command()
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("harness: interrupted", file=sys.stderr)
        code = INTERRUPTED
    except BrokenPipeError:
        # The reader of a pipe, such as `head`, has gone; that is its right.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    sys.exit(code)


def _open_standard_streams() -> None:
    """Give each closed standard stream a file: what is opened next must not take its number."""
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        try:
            os.fstat(number)
        except OSError:
            # The lowest free number is this one: those below it are open by now.
            # It stays open to the end, so there is no ``with`` to put it into.
            setattr(sys, name, open(os.devnull, mode))  # noqa: PTH123, SIM115
