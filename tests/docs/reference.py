"""Every table and key that a description may have, as a page, out of the schema's docstrings.

``python -m tests.docs.reference > docs/keys.md`` writes it anew.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
import textwrap
import types
import typing
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from harness.image.description import Description
from harness.image.toml_table import key_of

HEAD = """\
# Every table and key

What a [description](description.md) may say. A string is a C expression where nothing else is said.
Sentences with an ellipsis go on in the next line. This page is written by
`python -m tests.docs.reference`, out of `harness/image/schema/`.
"""
NAMES = {str: "string", int: "integer", bool: "true, false"}


def page() -> str:
    """Return the whole page."""
    return "\n".join([HEAD, *_table(Description, "")])


def _table(schema: type, path: str) -> Iterator[str]:
    """Yield the lines about a table, then those about the tables in it."""
    hints, notes = typing.get_type_hints(schema), _notes(schema)
    inner: list[str] = []
    rows: list[str] = []
    for item in dataclasses.fields(schema):
        if not item.metadata.get("toml", True):
            continue
        key, hint = key_of(item), hints[item.name]
        table, header = _inner(hint, f"{path}.{key}".lstrip("."))
        if table is None:
            about = notes.get(item.name, "")
            rows.append(f"| `{key}` | {_type(hint)} | {_default(item)} | {about} |")
        else:
            about = "\n\n".join(filter(None, [_about(table), notes.get(item.name)]))
            inner += ["", f"## `{header}`", "", about, "", *_table(table, header.strip("[]"))]
    if rows:
        yield from ("| key | value | default | |", "| --- | --- | --- | --- |", *rows)
    yield from inner


def _inner(hint: Any, path: str) -> tuple[type | None, str]:
    """Return the schema of a table, or of an array's or a mapping's tables, and its header."""
    arguments = [one for one in typing.get_args(hint) if one not in (type(None), Ellipsis)]
    origin = typing.get_origin(hint)
    if dataclasses.is_dataclass(hint):
        return typing.cast("type", hint), f"[{path}]"
    if origin is types.UnionType and dataclasses.is_dataclass(arguments[0]):
        return arguments[0], f"[{path}]"
    if origin is tuple and dataclasses.is_dataclass(arguments[0]):
        return arguments[0], f"[[{path}]]"
    if origin is Mapping and dataclasses.is_dataclass(arguments[1]):
        return arguments[1], f"[{path}.NAME]"
    return None, ""


def _type(hint: Any) -> str:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return ", ".join(f"`{one!r}`".replace("'", '"') for one in arguments)
    if origin is types.UnionType:
        return " or ".join(_type(one) for one in arguments if one is not type(None))
    if origin is re.Pattern:
        return "regular expression"
    if origin is Mapping:
        return f"table of {_type(arguments[1])}s"
    if origin is tuple and arguments[-1] is Ellipsis:
        return f"array of {_type(arguments[0])}"
    if origin is tuple:
        return f"[{', '.join(map(_type, arguments))}]"
    return NAMES[hint]


def _default(item: dataclasses.Field[Any]) -> str:
    if item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING:
        return "**required**"
    default = item.default
    if default in (None, "", ()) or default is dataclasses.MISSING:
        return ""
    if isinstance(default, tuple):
        return "all of them"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _about(schema: type) -> str:
    return _markdown(inspect.getdoc(schema) or "")


def _notes(schema: type) -> dict[str, str]:
    """Return the string behind each field: Python itself forgets them."""
    [tree] = ast.parse(inspect.getsource(schema)).body
    assert isinstance(tree, ast.ClassDef)
    found = {}
    for one, following in pairwise(tree.body):
        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name):
            match following:
                case ast.Expr(value=ast.Constant(value=str(text))):
                    found[one.target.id] = " ".join(_markdown(textwrap.dedent(text)).split())
    return found


def _markdown(text: str) -> str:
    """Return a docstring as Markdown, where code has one quotation mark a side."""
    return text.replace("``", "`").replace("|", "\\|")


if __name__ == "__main__":
    print(page(), end="")
