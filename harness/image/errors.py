"""What can be wrong with a kernel's file, in sentences for a person."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

SHOWN = 100
"""Characters of a value that a message repeats."""


class ImageError(Exception):
    """A file that is no kernel that can be booted; the message names the file and the reason."""


class BuildError(Exception):
    """A kernel that could not be built; the message quotes the command and its last output."""


class DescriptionError(Exception):
    """A description file that cannot be used: ``file:line: what is wrong``."""


class UnknownName(LookupError):
    """A symbol, type, enumerator or variable that the kernel does not have."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        hint = nearest(name, known)
        super().__init__(f"no {kind} {name!r}" + (f"; nearest: {hint}" if hint else ""))
        self.kind = kind
        self.name = name
        self.nearest = hint

    def __str__(self) -> str:
        return str(self.args[0])

    def __reduce__(self) -> tuple[object, ...]:
        known = (self.nearest,) if self.nearest else ()
        return UnknownName, (self.kind, self.name, known)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the one of ``known`` that looks most like ``name``, if any does."""
    matches = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return matches[0] if matches else None


def brief(value: object) -> str:
    """Return a value as Python writes it, or its beginning and end."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no more than some thousand digits
        return "a number of too many digits"
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 20]}…{text[-19:]}"
