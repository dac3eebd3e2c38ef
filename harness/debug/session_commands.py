"""What a person does with a live guest in gdb, beside looking at it."""

from __future__ import annotations

from harness.check.observation import NotToBeSeen
from harness.debug.commands import Command, Words, describer
from harness.debug.gdb_side.wire import Message
from harness.debug.session import Session

_MARK = """Keep the state of the memory manager as it is now, under a name.

usage: mm mark NAME

'mm diff NAME' tells later what has changed since."""

_REBOOT = """Boot a new machine and attach to it, with the flags of 'harness gdb'.

usage: mm reboot [FLAGS]

Flags replace those of the last boot; the others stay. The kernel is built again when its source has
changed. Breakpoints are kept; marks are not. Example: mm reboot --memory 128M --append mm=oct"""

_CONSOLE = """Print what the kernel has printed since it was last shown, or its screen.

usage: mm console

At each stop what the kernel has printed on a serial console is shown anyway."""

_TYPE = """Type a line on the kernel's console.

usage: mm type LINE

The kernel reads it once it runs."""


def commands_of(session: Session, said: str) -> list[Command]:
    """Return the commands of a session; ``said`` is what is to be told once gdb is attached."""

    def attach(words: Words) -> Message:
        return {**machine_message(session), "text": said}

    def stopped(words: Words) -> Message:
        stop = session.stopped()
        text = f"The guest has ended. {stop.ended}" if stop.ended else stop.note
        return {"console": stop.printed, "text": text, "over": stop.over}

    def mark(words: Words) -> Message:
        name = only_word(words, "mm mark NAME")
        session.mark(name)
        return {"text": f"The state is marked as {name}."}

    def marks(words: Words) -> Message:
        return {"words": list(session.marks.names)}

    def reboot(words: Words) -> Message:
        text = session.boot(words)
        return {**machine_message(session), "text": text}

    def console(words: Words) -> Message:
        return {"text": session.printed().rstrip("\n")}

    def type_line(words: Words) -> Message:
        session.type_line(words[0])
        return {}

    return [
        Command("mark", _MARK, mark, completes="marks"),
        Command("reboot", _REBOOT, reboot),
        Command("console", _CONSOLE, console),
        Command("type", _TYPE, type_line, takes_line=True),
        describer(lambda: session.records),
        Command("marks", "", marks),
        Command("attach", "", attach),
        Command("stopped", "", stopped),
    ]


def machine_message(session: Session) -> Message:
    """Return what gdb attaches to, and the kernel whose symbols it needs."""
    kernel = session.guest.kernel
    return {
        "remote": str(session.remote),
        "kernel": str(kernel.path),
        "digest": kernel.digest,
        "printers": session.records.for_gdb(),
    }


def only_word(words: Words, usage: str) -> str:
    """Return the one word that there must be; raise :class:`NotToBeSeen`."""
    if len(words) != 1:
        raise NotToBeSeen(f"usage: {usage}")
    return words[0]
