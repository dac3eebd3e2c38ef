"""What gdb may ask of the harness: the views, and what a person does with the guest."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from harness.check.observation import NotToBeSeen, Observation
from harness.debug.gdb_side.wire import Message
from harness.debug.records import Records
from harness.image.build import BuildError
from harness.image.errors import DescriptionError, ImageError
from harness.machine.errors import MachineError
from harness.ram.protocol import RamError
from harness.report.views.registry import VIEWS, answer
from harness.report.views.view import BadArguments

Words = Sequence[str]


@dataclass(frozen=True)
class Command:
    """One ``mm`` command that is no view: it does something."""

    name: str
    help: str
    """Empty for what gdb's side asks by itself."""
    run: Callable[[Words], Message]
    """Returns what gdb is to do and to print."""
    takes_address: bool = False
    """Whether its words are C expressions, which gdb completes."""
    takes_line: bool = False
    """Whether it wants the line as it was typed, as its only word."""
    completes: str = ""
    """The command that gives the words with which its own can go on."""


def describer(records: Callable[[], Records]) -> Command:
    """Return what gives gdb's pretty-printers their words, for a type and an object's bytes."""

    def describe(words: Words) -> Message:
        if len(words) != 2:
            raise NotToBeSeen("a type and its bytes are needed")
        try:
            return {"words": records().words(words[0], bytes.fromhex(words[1]))}
        except ValueError:
            raise NotToBeSeen("the bytes are no hexadecimal digits") from None

    return Command("describe", "", describe)


class Debugged(Protocol):
    """A guest that is debugged: a live one or a saved one."""

    def observe(self) -> Observation:
        """Return the stopped guest; raise :class:`NotToBeSeen`."""
        ...


class Commands:
    """Answers gdb's requests; every error is a sentence."""

    def __init__(self, guest: Debugged, commands: Sequence[Command]) -> None:
        self._guest = guest
        self._commands = {command.name: command for command in commands}

    def answer(self, request: Message) -> Message:
        """Return the answer to one request."""
        try:
            return self._answer(request)
        except _TOLD as error:
            return {"error": str(error)}
        except Exception as error:  # noqa: BLE001 - a defect of ours must not end the person's gdb
            place = traceback.extract_tb(error.__traceback__)[-1]
            return {
                "error": f"a defect of the harness, please report it: {type(error).__name__}: "
                f"{error} ({place.filename}:{place.lineno})"
            }

    def _answer(self, request: Message) -> Message:
        name, given = str(request.get("command")), request.get("arguments", [])
        words = [str(word) for word in given] if isinstance(given, list) else []
        if name == "words":
            return {"words": [*_views(), *self._own_words()]}
        if name in self._commands:
            command = self._commands[name]
            return command.run([str(request.get("line", ""))] if command.takes_line else words)
        return {"text": answer(self._guest.observe(), name, words).text}

    def _own_words(self) -> list[Message]:
        return [
            {
                "name": one.name,
                "help": one.help,
                "address": one.takes_address,
                "completes": one.completes,
            }
            for one in self._commands.values()
            if one.help
        ]


_TOLD = (
    *(BadArguments, BuildError, DescriptionError, ImageError, MachineError, NotToBeSeen),
    *(OSError, RamError),
)
"""Errors whose message is the whole story."""


def _views() -> list[Message]:
    return [
        {
            "name": view.name,
            "help": view.help("mm"),
            "address": view.takes_address,
            "completes": "marks" if view.takes_mark else "",
        }
        for view in VIEWS.values()
    ]
