"""The ``mm`` commands in gdb: each asks the harness and prints what it says."""

from __future__ import annotations

import shlex
from typing import Any

import gdb

from harness.debug.inside_gdb.client import AskError, ask
from harness.debug.inside_gdb.wire import Message


class Mm(gdb.Command):  # type: ignore[misc]  # gdb is there inside gdb alone
    """The memory manager of the guest, as the harness decodes it out of RAM."""

    def __init__(self) -> None:
        super().__init__("mm", gdb.COMMAND_DATA, gdb.COMPLETE_NONE, True)


class MmCommand(gdb.Command):  # type: ignore[misc]
    """One subcommand; its documentation is the harness's."""

    def __init__(self, word: Message) -> None:
        self.__doc__ = str(word["help"])
        self._name = str(word["name"])
        complete = gdb.COMPLETE_EXPRESSION if word["address"] else gdb.COMPLETE_NONE
        super().__init__(f"mm {self._name}", gdb.COMMAND_DATA, complete)

    def invoke(self, argument: str, from_tty: bool) -> None:
        """Ask, and print the answer."""
        self.dont_repeat()
        obey(request(self._name, arguments=words_of(argument)))


def words_of(argument: str) -> list[str]:
    """Return the words of a command line, quoted as in a shell."""
    try:
        return shlex.split(argument)
    except ValueError as error:
        raise gdb.GdbError(f"{argument!r}: {error}") from None


def request(command: str, **values: Any) -> Message:
    """Ask the harness; what it refuses is gdb's error."""
    try:
        return ask(command, **values)
    except AskError as error:
        raise gdb.GdbError(str(error)) from None


def obey(answer: Message) -> None:
    """Print what an answer says, and attach to the machine that it names."""
    if answer.get("text"):
        gdb.write(f"{answer['text']}\n")
    if "remote" in answer:
        gdb.execute(f"target remote {answer['remote']}")


def on_stop(event: Any) -> None:
    """Tell the harness that the guest stands, and print what its kernel has said meanwhile."""
    try:
        said = str(ask("stopped").get("console", ""))
    except AskError as error:
        said = f"{error}\n"
    for line in said.splitlines():
        gdb.write(f"| {line}\n")


def begin() -> None:
    """Make the commands and attach to the guest."""
    Mm()
    for word in request("words")["words"]:
        MmCommand(word)
    gdb.events.stop.connect(on_stop)
    obey(request("attach"))
