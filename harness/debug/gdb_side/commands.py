"""The ``mm`` commands in gdb: each asks the harness and prints what it says."""

from __future__ import annotations

import contextlib
import shlex
from typing import Any

import gdb

from harness.debug.gdb_side import resuming
from harness.debug.gdb_side.client import AskError, ask
from harness.debug.gdb_side.locals import in_terms_of_the_kernel
from harness.debug.gdb_side.printers import learn
from harness.debug.gdb_side.style import styled
from harness.debug.gdb_side.wire import Message


class Mm(gdb.Command):  # type: ignore[misc]  # gdb is there inside gdb alone
    """The memory manager of the guest, as the harness decodes it out of RAM."""

    def __init__(self) -> None:
        super().__init__("mm", gdb.COMMAND_DATA, gdb.COMPLETE_NONE, True)


class MmCommand(gdb.Command):  # type: ignore[misc]
    """One subcommand; its documentation is the harness's."""

    def __init__(self, word: Message) -> None:
        self.__doc__ = str(word["help"])
        self._name = str(word["name"])
        self._takes_address = bool(word["address"])
        self._completes = str(word["completes"])
        super().__init__(f"mm {self._name}", gdb.COMMAND_DATA)

    def invoke(self, argument: str, from_tty: bool) -> None:
        """Ask, and print the answer."""
        self.dont_repeat()
        line = in_terms_of_the_kernel(argument) if self._takes_address else argument
        obey(request(self._name, arguments=words_of(line), line=argument))

    def complete(self, text: str, word: str) -> Any:
        """Return how a word can go on: an expression of gdb's, or words that the harness knows."""
        if self._takes_address:
            return gdb.COMPLETE_EXPRESSION
        if not self._completes:
            return gdb.COMPLETE_NONE
        try:
            known = ask(self._completes)["words"]
        except AskError:
            return gdb.COMPLETE_NONE
        return [str(one) for one in known if str(one).startswith(word or "")]


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
    """Attach to the machine that an answer names, and print what it says."""
    if "remote" in answer:
        _attach(answer)
    if answer.get("text"):
        gdb.write(styled(f"{answer['text']}\n"))


def _attach(machine: Message) -> None:
    """Let go of the last machine, take the symbols of the new one, and attach to it."""
    with contextlib.suppress(gdb.error):  # there is none, or it has gone
        gdb.execute("disconnect", to_string=True)
    if machine["digest"] != _known.get("digest"):
        if "digest" in _known:
            gdb.execute(f"with confirm off -- file {machine['kernel']}", to_string=True)
        _known["digest"] = machine["digest"]
    learn(machine["printers"])
    resuming.over = False
    gdb.execute(f"target remote {machine['remote']}")


_known: dict[str, str] = {}
"""The digest of the kernel whose symbols gdb has."""


def on_stop(event: Any) -> None:
    """Tell the harness that the guest stands, and print what its kernel has said meanwhile."""
    try:
        answer = ask("stopped")
    except AskError as error:
        answer = {"text": str(error)}
    resuming.over = bool(answer.get("over"))
    for line in str(answer.get("console", "")).splitlines():
        gdb.write(f"| {line}\n")
    obey(answer)


def begin() -> None:
    """Make the commands and attach to the guest."""
    Mm()
    for word in request("words")["words"]:
        MmCommand(word)
    resuming.guard()
    gdb.events.stop.connect(on_stop)
    obey(request("attach"))
