"""Commands to the kernel's own monitor, answered by tag."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NoReturn, Protocol

from harness.image.description import Description
from harness.image.monitor_command import Argument, MonitorCommand
from harness.image.schema.running import Monitor
from harness.machine.console import Console
from harness.machine.errors import CommandFailed, MonitorError

COMMAND_TIMEOUT = 10.0
"""CPU seconds that a command may take."""
_PAIR = re.compile(r"([A-Za-z_][\w-]*)=(\S+)")


@dataclass(frozen=True)
class Answer:
    """What the monitor said to one command."""

    ok: bool
    text: str
    """The line behind its status."""
    values: Mapping[str, str] = field(default_factory=dict)
    """The line's ``NAME=VALUE`` pairs."""

    def number(self, name: str) -> int:
        """Return a value as a number (decimal or 0x…); raise :class:`MonitorError`."""
        try:
            return int(self.values[name], 0)
        except (KeyError, ValueError):
            raise MonitorError(f"no number {name!r} in the answer {self.text!r}") from None


class Listener(Protocol):
    """The part of a guest that the monitor needs."""

    console: Console

    def wait_for_line(self, pattern: str, timeout: float) -> str:
        """Return the first line that matches; raise when the guest ends before."""
        ...


class KernelMonitor:
    """The command line that a kernel's description gives in its table ``[monitor]``.

    Each request has a tag of its own that comes back with the answer, so that no other output
    can be mistaken for it.
    """

    def __init__(self, guest: Listener, description: Description) -> None:
        self._guest = guest
        self._description = description.monitor
        self._tags = itertools.count(1)

    def command(self, command: str, timeout: float = COMMAND_TIMEOUT) -> Answer:
        """Give a command to the running kernel and return its answer, also an error.

        Raise :class:`MonitorError` for a kernel without a monitor or a command of several lines,
        and :class:`harness.machine.errors.GuestEnded` when the guest ends instead.
        """
        if self._description is None:
            raise MonitorError("this kernel's description has no [monitor]")
        if not command.isprintable():
            raise MonitorError(f"a command is one printable line, not {command!r}")
        tag = str(next(self._tags))
        request = self._description.request.replace("{tag}", tag).replace("{command}", command)
        self._guest.console.send(request + "\r")
        pattern = self._description.answer.replace("{tag}", tag)
        line = self._guest.wait_for_line(pattern, timeout)
        return _answer(pattern, line)

    def require(self, command: str, timeout: float = COMMAND_TIMEOUT) -> Answer:
        """Give a command that must succeed; raise :class:`CommandFailed` with its answer if not."""
        answer = self.command(command, timeout)
        if not answer.ok:
            raise CommandFailed(command, answer.text)
        return answer

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Return one of the description's ``[[monitor.commands]]`` as a function.

        It takes its arguments by keyword, numbers or words. It returns the number that the
        command's ``value`` finds in the answer, or the :class:`Answer` when it has no ``value``,
        and raises like :meth:`require`.
        """
        for command in self._commands:
            if command.name == name:
                return partial(self._give, command)
        known = ", ".join(command.name for command in self._commands) or "none"
        raise AttributeError(
            f"no [[monitor.commands]] is named {name!r} in the kernel's description; there are: "
            f"{known}"
        )

    def __dir__(self) -> Iterable[str]:
        return [*super().__dir__(), *(command.name for command in self._commands)]

    @property
    def _commands(self) -> tuple[MonitorCommand, ...]:
        # Not by attribute: while a copy is made of it, an object has none.
        monitor: Monitor | None = self.__dict__.get("_description")
        return monitor.commands if monitor else ()

    def _give(self, command: MonitorCommand, **arguments: Argument | None) -> int | Answer:
        answer = self.require(command.line(arguments))
        if command.value is None:
            return answer
        found = command.value.search(answer.text)
        try:
            return int(found["value"], 0) if found else _no_value(command, answer)
        except (TypeError, ValueError):
            return _no_value(command, answer)


def _no_value(command: MonitorCommand, answer: Answer) -> NoReturn:
    pattern = command.value.pattern if command.value else ""
    raise MonitorError(f"{command.name}: no number {pattern!r} in the answer {answer.text!r}")


def _answer(pattern: str, line: str) -> Answer:
    found = re.search(pattern, line)
    assert found, "the line was chosen by this pattern"
    groups = found.groupdict()
    text = groups.get("rest") or ""
    return Answer(groups["status"] == "ok", text, dict(_PAIR.findall(text)))
