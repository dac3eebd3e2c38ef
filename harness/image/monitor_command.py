"""Commands of a kernel's monitor as functions: ``alloc {order}[ {zone}]``."""

from __future__ import annotations

import inspect
import keyword
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

Argument = int | str

_PLACEHOLDER = re.compile(r"\{(?P<name>[A-Za-z_]\w*)(?P<hex>:x)?\}")
_PART = re.compile(r"\[(?P<optional>[^][]*)\]|(?P<required>[^][]+)|(?P<stray>[][])")

RESERVED = ("command", "require")
"""Functions that every kernel's monitor has."""


@dataclass(frozen=True)
class MonitorCommand:
    """One command that a test can give by name."""

    name: str
    """A Python identifier."""
    request: str
    """With ``{argument}``, or ``{argument:x}`` to write a number as 0x…; what stands in brackets is
    left out when its argument is not given."""
    value: re.Pattern[str] | None = None
    """Searched in the answer: its group ``value`` is the number that the command returns."""

    def complaint(self) -> str | None:
        """Return what is wrong with it, None when it can be used."""
        if not _usable(self.name) or self.name in RESERVED:
            return f"{self.name!r} is no name for a function, or one that the monitor has itself"
        if self.value is not None and "value" not in self.value.groupindex:
            return "value needs a group (?P<value>…)"
        if not self.request.isprintable():
            return "the request must be one printable line"
        for part in _PART.finditer(self.request):
            if part["stray"]:
                return f"the request has a {part['stray']!r} without its partner"
            names = _PLACEHOLDER.findall(part[0])
            if part["optional"] is not None and len(names) != 1:
                return f"{part[0]!r} must have one {{argument}}"
            if re.search(r"[{}]", _PLACEHOLDER.sub("", part[0])):
                return f"no {{argument}} and no {{argument:x}} in {part[0]!r}"
        names = [found["name"] for found in _PLACEHOLDER.finditer(self.request)]
        if wrong := [name for name in names if not _usable(name) or names.count(name) > 1]:
            return f"{wrong[0]!r} is no name for one argument"
        return None

    @cached_property
    def signature(self) -> inspect.Signature:
        """The arguments, each by keyword; those in brackets may be left out."""
        parameters = [
            inspect.Parameter(
                found["name"],
                inspect.Parameter.KEYWORD_ONLY,
                default=None if part["optional"] is not None else inspect.Parameter.empty,
            )
            for part in _PART.finditer(self.request)
            for found in _PLACEHOLDER.finditer(part[0])
        ]
        return inspect.Signature(parameters)

    def line(self, arguments: Mapping[str, Argument | None]) -> str:
        """Return the request for some arguments.

        Raise ``TypeError`` for arguments that it does not have, lacks, or that are neither a number
        nor a word.
        """
        try:
            given = self.signature.bind(**arguments).arguments
        except TypeError as error:
            raise TypeError(f"{self.name}{self.signature}: {error}") from None
        return "".join(_filled(part, given) for part in _PART.finditer(self.request))


def _usable(name: str) -> bool:
    """Return whether Python code can say ``name``."""
    return name.isidentifier() and not name.startswith("_") and not keyword.iskeyword(name)


def _filled(part: re.Match[str], arguments: Mapping[str, Argument | None]) -> str:
    optional = part["optional"]
    text: str = part["required"] if optional is None else optional
    names = [found["name"] for found in _PLACEHOLDER.finditer(text)]
    if optional is not None and all(arguments.get(name) is None for name in names):
        return ""
    return _PLACEHOLDER.sub(lambda found: _written(found, arguments[found["name"]]), text)


def _written(found: re.Match[str], value: Argument | None) -> str:
    if isinstance(value, int):
        return f"{int(value):#x}" if found["hex"] else str(int(value))
    if not isinstance(value, str) or not value or not value.isprintable():
        raise TypeError(f"{found['name']} is a number or a word, not {value!r}")
    return value
