"""A saved guest under a person's gdb: everything can be looked at, nothing changed."""

from __future__ import annotations

from pathlib import Path

from harness.check.observation import NotToBeSeen, Observation
from harness.check.saved_state import state_in_core
from harness.debug.commands import Command, Words, describer
from harness.debug.gdb_side.wire import Message
from harness.debug.records import Records
from harness.machine.saved_guest import SavedGuest

READ_ONLY = tuple(
    word
    for what in ("write-memory", "write-registers", "insert-breakpoints", "insert-tracepoints")
    for word in ("-iex", f"set may-{what} off")
)
"""Arguments by which gdb itself refuses to change anything, in words of its own."""


class Saved:
    """A guest that was saved."""

    def __init__(self, guest: SavedGuest) -> None:
        self.guest = guest

    def observe(self) -> Observation:
        """Return the guest as it was saved."""
        return Observation(self.guest, self.guest.moment, past=state_in_core)


def saved_commands(saved: Saved, remote: Path) -> list[Command]:
    """Return the commands for a saved guest, at whose stub in ``remote`` gdb attaches."""
    digest = saved.guest.kernel.digest
    records = Records(saved.guest.kernel, saved.observe().space)

    def attach(words: Words) -> Message:
        text = "This guest was saved: it can be looked at, and neither run nor be changed."
        return {
            "remote": str(remote),
            "kernel": "",
            "digest": digest,
            "printers": records.for_gdb(),
            "text": text,
        }

    def refuse(words: Words) -> Message:
        raise NotToBeSeen("this guest was saved: 'harness gdb' without --core boots one that runs")

    live = ("mark", "reboot", "console", "type")
    return [
        Command("attach", "", attach),
        Command("stopped", "", lambda words: {}),
        Command("marks", "", lambda words: {"words": []}),
        describer(lambda: records),
        *(Command(name, "A saved guest has no such command.", refuse) for name in live),
    ]
