"""Commands to the kernel's own monitor, answered by tag."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from harness.image.description import Description
from harness.machine.console import Console
from harness.machine.errors import MonitorError

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
        """Give a command that must succeed; raise :class:`MonitorError` with its answer if not."""
        answer = self.command(command, timeout)
        if not answer.ok:
            raise MonitorError(f"{command!r} was answered with an error: {answer.text}")
        return answer


def _answer(pattern: str, line: str) -> Answer:
    found = re.search(pattern, line)
    assert found, "the line was chosen by this pattern"
    groups = found.groupdict()
    text = groups.get("rest") or ""
    return Answer(groups["status"] == "ok", text, dict(_PAIR.findall(text)))
