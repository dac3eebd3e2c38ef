"""Where in a JSON text a value stands, for error messages.

The standard library's parser tells the place of a syntax error only. This walks a text that it has
already accepted, so it need not expect anything malformed.
"""

from __future__ import annotations

import json
import re

Step = int | str
"""An index into a list, or a key of an object."""

_DECODER = json.JSONDecoder()
_BLANK = re.compile(r"[ \t\r\n]*")


def offset_of(text: str, path: tuple[Step, ...]) -> int:
    """Return the offset in valid JSON ``text`` of the value that ``path`` leads to."""
    at = _skip_blank(text, 0)
    for step in path:
        at = _item(text, at, step) if isinstance(step, int) else _member(text, at, step)
    return at


def _item(text: str, at: int, index: int) -> int:
    """Return the offset of item ``index`` of the list at ``at``."""
    at = _skip_blank(text, at + 1)
    for _ in range(index):
        at = _behind_separator(text, _DECODER.raw_decode(text, at)[1])
    return at


def _member(text: str, at: int, key: str) -> int:
    """Return the offset of the value of ``key`` in the object at ``at``; the last one counts."""
    found = at
    at = _skip_blank(text, at + 1)
    while text[at] != "}":
        name, end = _DECODER.raw_decode(text, at)
        value = _behind_separator(text, end)
        if name == key:
            found = value
        at = _skip_blank(text, _DECODER.raw_decode(text, value)[1])
        if text[at] == ",":
            at = _skip_blank(text, at + 1)
    return found


def _behind_separator(text: str, at: int) -> int:
    """Return where the value behind the comma or colon that follows ``at`` begins."""
    return _skip_blank(text, _skip_blank(text, at) + 1)


def _skip_blank(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return found.end() if found else at
