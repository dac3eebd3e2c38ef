"""A page of the documentation as the steps that it tells a reader to take.

Fenced blocks are steps; the first word behind the fence is the language:

- ``console``: lines that begin with ``$ `` are shell commands, the lines below what they print;
- ``toml FILE``, ``python FILE``: what the reader puts at the end of a file, made if there is none;
- ``diff``: a change that the reader makes, as ``patch`` takes it.

In what is printed, ``…`` is any part of a line, and alone on a line any number of lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"^```(?P<info>.+)\n(?P<body>(?:.*\n)*?)```$", re.MULTILINE)
_ANYTHING = "…"


@dataclass(frozen=True)
class Command:
    """A shell command and what it must print."""

    line: int
    text: str
    output: str

    def printed(self, found: str) -> bool:
        """Return whether ``found`` is what the page shows."""
        return re.fullmatch(_pattern(self.output), found.rstrip("\n")) is not None


@dataclass(frozen=True)
class Addition:
    """Text for the end of a file."""

    line: int
    file: str
    text: str


@dataclass(frozen=True)
class Change:
    """A unified diff."""

    line: int
    text: str


Step = Command | Addition | Change


def steps(page: Path) -> Iterator[Step]:
    """Yield the steps of a page, in order."""
    text = page.read_text(encoding="utf-8")
    for block in _FENCE.finditer(text):
        line = text.count("\n", 0, block.start()) + 2
        language, _, file = block["info"].partition(" ")
        if language == "console":
            yield from _commands(line, block["body"])
        elif language == "diff":
            yield Change(line, block["body"])
        elif file:
            yield Addition(line, file, block["body"])


def _commands(line: int, body: str) -> Iterator[Command]:
    parts = re.split(r"^\$ ", body, flags=re.MULTILINE)
    line += parts[0].count("\n")
    for part in parts[1:]:
        text, _, output = part.partition("\n")
        yield Command(line, text, output.rstrip("\n"))
        line += part.count("\n")


def _pattern(output: str) -> str:
    """Return the regular expression that a page's output stands for."""
    lines = output.split("\n")
    whole = [r"(?:.*\n)*?" if line == _ANYTHING else _line(line) + r"\n" for line in lines]
    if lines[-1] == _ANYTHING:
        whole[-1] = r"(?s:.*)"
    else:
        whole[-1] = _line(lines[-1])
    return "".join(whole)


def _line(text: str) -> str:
    return ".*".join(re.escape(part) for part in text.split(_ANYTHING))
