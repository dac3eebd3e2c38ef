"""What a view is: one question about a paused guest's memory, with its answer as text and JSON.

The same views answer ``harness inspect WHAT`` and gdb's ``mm WHAT``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from harness.check.observation import NotToBeSeen, Observation


class BadArguments(Exception):
    """Arguments that a view does not take; the message says what it takes."""


@dataclass(frozen=True)
class Answer:
    """What a view says."""

    text: str
    """Lines without an end of line behind the last one."""
    json: Any
    """The same as JSON values."""
    findings: bool = False
    """Whether something is wrong with the guest."""


class Parser(argparse.ArgumentParser):
    """A view's arguments; what does not fit is an exception."""

    def error(self, message: str) -> NoReturn:
        """Raise :class:`BadArguments`."""
        raise BadArguments(f"{self.prog}: {message}; {self.format_usage().strip()}")


Show = Callable[[Observation, argparse.Namespace], Answer]
Declare = Callable[[Parser], object]


@dataclass(frozen=True)
class View:
    """One of the views."""

    name: str
    summary: str
    """One sentence."""
    show: Show
    declare: Declare = lambda parser: None
    """Declares the arguments."""
    details: str = ""
    """More sentences for its help."""
    takes_address: bool = False
    """Whether its words are C expressions."""
    takes_mark: bool = False
    """Whether its word names an earlier state."""

    def parser(self) -> Parser:
        """Return what reads its arguments."""
        parser = Parser(self.name, add_help=False, allow_abbrev=False)
        self.declare(parser)
        return parser

    def help(self, prefix: str) -> str:
        """Return how it is used; ``prefix`` is what is typed in front of its name."""
        arguments = self.parser()
        arguments.prog = f"{prefix} {self.name}"
        arguments.usage = None
        return f"{self.summary}\n\n{arguments.format_help()}\n{self.details}".strip()

    def answer(self, seen: Observation, arguments: Sequence[str]) -> Answer:
        """Return what it says of a guest.

        Raise :class:`BadArguments`, and :class:`NotToBeSeen` for what the guest does not have.
        """
        return self.show(seen, self.parser().parse_args(list(arguments)))


def address_argument(parser: Parser, name: str = "address") -> None:
    """Let a view take an address: a number or a C expression, which may have blanks."""
    parser.add_argument(
        name, nargs="+", metavar=name.upper(), help="a number, a symbol or a C expression; $esp …"
    )


def address_of(seen: Observation, words: Sequence[str]) -> int:
    """Return the address that a view's words mean; raise :class:`NotToBeSeen`.

    As in C a variable is its value, an array, a structure or a function is its address.
    """
    text = " ".join(words)
    try:
        value = int(text, 0)
    except ValueError:
        return seen.value(text)
    if not 0 <= value < 1 << 64:
        raise NotToBeSeen(f"{text} is no address")
    return value
