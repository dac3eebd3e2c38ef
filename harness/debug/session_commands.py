"""What a person does with a live guest in gdb, beside looking at it."""

from __future__ import annotations

from harness.check.observation import NotToBeSeen
from harness.debug.commands import Command, Words
from harness.debug.inside_gdb.wire import Message
from harness.debug.session import Session


def commands_of(session: Session, said: str) -> list[Command]:
    """Return the commands of a session; ``said`` is what is to be told once gdb is attached."""

    def mark(words: Words) -> Message:
        name = only_word(words, "mark NAME")
        session.mark(name)
        return {"text": f"The state is marked as {name}."}

    def attach(words: Words) -> Message:
        return {"remote": str(session.remote), "text": said}

    return [
        Command("mark", "Keep the state as it is now under a name: mark NAME.", mark),
        Command("attach", "", attach),
        Command("stopped", "", lambda words: {"console": session.stopped()}),
    ]


def only_word(words: Words, usage: str) -> str:
    """Return the one word that there must be; raise :class:`NotToBeSeen`."""
    if len(words) != 1:
        raise NotToBeSeen(f"usage: {usage}")
    return words[0]
