"""Where in its file a description says something that turned out not to fit the kernel."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping

from harness.image.description import Description
from harness.image.toml_table import Where, key_name, key_of


def position(description: Description, part: object, text: str) -> str:
    """Return ``file:line: key`` of the value in ``part`` that says ``text``.

    ``part`` is one of the objects that the description is made of; ``text`` a whole value of it,
    or a name in one. The line is that of the table when no value says it.
    """
    where = next((where for where, value in _walk(description, ()) if value is part), ())
    values = [(at, value) for at, value in _walk(part, where) if isinstance(value, str)]
    for at, value in values:
        if value == text:
            return _place(description, at)
    for at, value in values:
        if text in re.findall(r"\w+", value):
            return _place(description, at)
    return _place(description, where)


def _place(description: Description, where: Where) -> str:
    file = description.path or "description"
    return f"{file}:{description.lines.nearest(where)}: {key_name(where)}"


def _walk(value: object, where: Where) -> Iterator[tuple[Where, object]]:
    """Yield all tables and values below, with the ways to them."""
    yield where, value
    if dataclasses.is_dataclass(value):
        for item in dataclasses.fields(value):
            if item.metadata.get("toml", True):
                yield from _walk(getattr(value, item.name), (*where, key_of(item)))
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from _walk(one, (*where, key))
    elif isinstance(value, tuple):
        for index, one in enumerate(value):
            yield from _walk(one, (*where, index))
