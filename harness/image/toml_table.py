"""TOML tables as frozen dataclasses, with every complaint at its file and line.

A dataclass is the schema: its fields are the known keys, their annotations the types, their
defaults what is optional.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
import tomllib
import types
import typing
from collections.abc import Iterator, Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import Any, TypeVar

from harness.image.errors import DescriptionError, brief

Where = tuple[str | int, ...]
"""The way to a value: keys, and indices into arrays of tables."""

T = TypeVar("T")


class Lines:
    """The line, from 1, of each table and key of valid TOML: only errors ask, and it takes long."""

    def __init__(self, text: str = "") -> None:
        self._text = text

    @cached_property
    def known(self) -> Mapping[Where, int]:
        """All of them."""
        return _locate(self._text)

    def nearest(self, where: Where) -> int:
        """Return the line of ``where``, or of the nearest that encloses it."""
        while where and where not in self.known:
            where = where[:-1]
        return self.known.get(where, 1)


@dataclasses.dataclass(frozen=True)
class TomlDocument:
    """A parsed file."""

    path: Path
    values: dict[str, Any]
    lines: Lines


LARGEST_FILE = 1 << 20
"""Bytes."""


def read_toml(path: Path) -> TomlDocument:
    """Parse ``path``; raise :class:`DescriptionError` when it cannot be read or is not TOML."""
    text = _read(path)
    try:
        return TomlDocument(path, tomllib.loads(text), Lines(text))
    except tomllib.TOMLDecodeError as error:
        message, _, place = str(error).partition(" (at ")
        line = re.match(r"line (\d+)", place)
        number = line[1] if line else text.rstrip("\n").count("\n") + 1  # "at end of document"
        raise DescriptionError(f"{path}:{number}: {message}") from None
    except RecursionError:
        raise DescriptionError(f"{path}: its arrays or tables are nested too deeply") from None
    except ValueError:  # Python converts no more than some thousand digits
        raise DescriptionError(f"{path}: a number in it has too many digits") from None


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            contents = file.read(LARGEST_FILE + 1)
        if len(contents) > LARGEST_FILE:
            raise DescriptionError(f"{path}: larger than {LARGEST_FILE >> 20} MiB, no description")
        return contents.decode("utf-8-sig").replace("\r\n", "\n")
    except OSError as error:
        raise DescriptionError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise DescriptionError(f"{path}: not UTF-8 text: byte {error.start}") from None


_TOKEN = re.compile(
    r'''
    """ (?: \\. | [^\\] )*? "{3,5} | \'{3} .*? \'{3,5} # strings of several lines,
    | " (?: \\. | [^"\\] )* " | ' [^']* '            # and of one
    | \# [^\n]* | [\[\]{}] | \n
    ''',
    re.VERBOSE | re.DOTALL,
)
"""What decides where a statement of valid TOML ends."""


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Yield the statements of valid TOML, each with its first line."""
    depth, start, line, first = 0, 0, 1, 1
    for token in _TOKEN.finditer(text + "\n"):
        found = token[0]
        line += found.count("\n")
        if found in "[{":
            depth += 1
        elif found in "]}":
            depth -= 1
        elif found == "\n" and not depth:
            yield first, text[start : token.start()]
            start, first = token.end(), line


def _locate(text: str) -> dict[Where, int]:
    """Find the line of each table and key of valid TOML."""
    lines: dict[Where, int] = {}
    table: Where = ()
    counts: dict[Where, int] = {}
    for line, source in _statements(text):
        statement = tomllib.loads(source)
        if source.lstrip().startswith("["):
            table = _enter(statement, counts)
            lines[table] = line
        elif statement:
            lines[table + _path(statement)] = line
    return lines


def _path(statement: Any) -> Where:
    """Return the dotted key of one ``key = value`` statement."""
    keys: list[str | int] = []
    while isinstance(statement, dict) and len(statement) == 1:
        key, statement = next(iter(statement.items()))
        keys.append(key)
    return tuple(keys)


def _enter(statement: Any, counts: dict[Where, int]) -> Where:
    """Return the path of the table that a header opens; count elements of arrays of tables."""
    where: Where = ()
    while statement:
        key, statement = next(iter(statement.items()))
        where = (*where, key)
        if isinstance(statement, list):
            counts[where] = counts.get(where, 0) + 1
            return (*where, counts[where] - 1)
        if where in counts and statement is not None:
            where = (*where, counts[where] - 1)
    return where


class TableReader:
    """Builds dataclasses from one document."""

    def __init__(self, document: TomlDocument) -> None:
        self._document = document

    def error(self, where: Where, message: str) -> DescriptionError:
        """Return an error that names the file, the line and the key of ``where``."""
        name = key_name(where)
        line = self._document.lines.nearest(where)
        subject = f"{name}: " if name else ""
        return DescriptionError(f"{self._document.path}:{line}: {subject}{message}")

    def read(self, schema: type[T], **extra: object) -> T:
        """Return the whole document as a ``schema``, with the ``extra`` fields set."""
        return self._table(schema, self._document.values, (), extra)

    def _table(self, schema: type[T], values: Any, where: Where, extra: Mapping[str, object]) -> T:
        if not isinstance(values, dict):
            raise self.error(where, "must be a table")
        hints = _hints(schema)  # type: ignore[arg-type]  # classes are hashable
        # Schemas are dataclasses, which a type variable cannot say.
        fields = {key_of(f): f for f in dataclasses.fields(schema) if f.metadata.get("toml", True)}  # type: ignore[arg-type]
        self._reject_unknown(values, fields, where)
        arguments = dict(extra)
        for key, item in fields.items():
            if key in values:
                arguments[item.name] = self._value(hints[item.name], values[key], (*where, key))
            elif _required(item):
                raise self.error(where, f"{key} is missing")
        return schema(**arguments)

    def _reject_unknown(
        self, values: Mapping[str, Any], known: Mapping[str, Any], where: Where
    ) -> None:
        for key in values:
            if key not in known:
                near = difflib.get_close_matches(key, known, n=1, cutoff=0.4)
                hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
                raise self.error((*where, key), f"unknown key; {hint}")

    def _value(self, hint: Any, value: Any, where: Where) -> Any:
        origin = typing.get_origin(hint)
        arguments = typing.get_args(hint)
        if origin is types.UnionType:
            fitting = (one for one in arguments if type(value) is one)
            return self._value(next(fitting, arguments[0]), value, where)
        if hint is re.Pattern or origin is re.Pattern:
            return self._pattern(value, where)
        if origin is typing.Literal:
            return self._choice(arguments, value, where)
        if origin is tuple:
            return self._tuple(arguments, value, where)
        if origin is Mapping:
            return self._mapping(arguments[1], value, where)
        if dataclasses.is_dataclass(hint):
            # is_dataclass() takes instances as well; a hint is always a class.
            return self._table(hint, value, where, {})  # type: ignore[arg-type]
        return self._scalar(hint, value, where)

    def _scalar(self, hint: type, value: Any, where: Where) -> Any:
        names = {str: "a string", int: "a non-negative integer", bool: "true or false"}
        if type(value) is not hint or (isinstance(value, int) and value < 0):
            raise self.error(where, f"must be {names[hint]}, not {brief(value)}")
        if isinstance(value, int) and value >> 64:
            raise self.error(where, "must have no more than 64 bits")
        if hint is str and not value:
            raise self.error(where, "must not be empty")
        return value

    def _pattern(self, value: Any, where: Where) -> re.Pattern[str]:
        try:
            return re.compile(self._scalar(str, value, where))
        except re.error as error:
            raise self.error(where, f"not a regular expression: {error}") from None

    def _choice(self, choices: tuple[Any, ...], value: Any, where: Where) -> Any:
        for choice in choices:
            if type(value) is type(choice) and value == choice:
                return value
        raise self.error(
            where, f"must be one of {', '.join(map(repr, choices))}, not {brief(value)}"
        )

    def _tuple(self, hints: tuple[Any, ...], value: Any, where: Where) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise self.error(where, f"must be an array, not {brief(value)}")
        if hints[-1] is Ellipsis:
            hints = hints[:1] * len(value)
        if len(hints) != len(value):
            raise self.error(where, f"must have {len(hints)} elements, not {len(value)}")
        return tuple(
            self._value(hint, item, (*where, index))
            for index, (hint, item) in enumerate(zip(hints, value, strict=True))
        )

    def _mapping(self, hint: Any, value: Any, where: Where) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self.error(where, "must be a table")
        return {key: self._value(hint, item, (*where, key)) for key, item in value.items()}


@cache
def _hints(schema: type[object]) -> dict[str, Any]:
    """Return the types of a schema's fields; there are as many as there are kinds of tables."""
    return typing.get_type_hints(schema)


def key_of(item: dataclasses.Field[Any]) -> str:
    """Return a field's key in the file: Python's keywords carry an underscore here only."""
    return item.name.removesuffix("_")


def _required(item: dataclasses.Field[Any]) -> bool:
    return item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING


def key_name(where: Where) -> str:
    """Write a path as people do: ``page_tables.linear[0].end``."""
    text = ""
    for part in where:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            key = part if _PLAIN.fullmatch(part) else brief(part)
            text += f".{key}" if text else key
    return text


_PLAIN = re.compile(r"[\w -]{1,80}")
"""Keys that are written as they are."""
