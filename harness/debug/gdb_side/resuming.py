"""A guest that is over is not resumed: QEMU would say nothing, and gdb would wait for good."""

from __future__ import annotations

import gdb

_COMMANDS = (
    *("continue", "step", "next", "stepi", "nexti"),
    *("finish", "until", "advance", "jump", "signal"),
)
_BODY = "python from harness.debug.gdb_side.resuming import refuse; refuse()"

over = False
"""Whether the guest has reset itself or switched off."""


def guard() -> None:
    """Look first whenever one of gdb's commands would resume; a person's own hooks are kept."""
    for command in _COMMANDS:
        try:
            gdb.execute(f"help hook-{command}", to_string=True)
        except gdb.error:
            gdb.execute(f"define hook-{command}\n{_BODY}\nend")


def refuse() -> None:
    """Raise gdb's error when the guest cannot run any more."""
    if over:
        raise gdb.GdbError("The guest has ended: it can be looked at; 'mm reboot' starts it again.")
