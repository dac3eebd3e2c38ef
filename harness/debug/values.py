"""C values as Python values: what an expression in a guest evaluates to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Enumerator:
    """A value of an enumeration."""

    name: str | None
    """None for a number that the enumeration has no name for."""
    value: int
    type: str = field(compare=False)

    def __int__(self) -> int:
        return self.value

    def __str__(self) -> str:
        return self.name or f"({self.type}) {self.value}"


@dataclass(frozen=True)
class Pointer:
    """A pointer; nothing is read through it but the text behind a pointer to characters."""

    address: int
    """Virtual."""
    type: str
    """In C, such as ``struct page *``."""
    symbol: str | None = None
    """What is there by the kernel's symbols, such as ``zones + 16``."""
    text: bytes | None = field(default=None, compare=False)
    """Of a pointer to characters: the string, at most 200 bytes; None when there is no memory."""

    def __int__(self) -> int:
        return self.address

    def __bool__(self) -> bool:
        return self.address != 0

    def __str__(self) -> str:
        shown = f"({self.type}) {self.address:#x}"
        return f"{shown} <{self.symbol}>" if self.symbol else shown

    @property
    def target(self) -> str:
        """The expression for what it points at, to be evaluated."""
        return f"*({self.type}) {self.address:#x}"


@dataclass(frozen=True)
class Unreadable:
    """A part of a value that cannot be read."""

    reason: str

    def __str__(self) -> str:
        return f"<{self.reason}>"


@dataclass(frozen=True, eq=False)
class Struct(Mapping[str, "Value"]):
    """A struct or union: a mapping of its fields, which are attributes as well."""

    c_type: str
    c_fields: Mapping[str, Value] = field(repr=False)

    def __getitem__(self, name: str) -> Value:
        return self.c_fields[name]

    def __getattr__(self, name: str) -> Value:
        if name.startswith("__") or name not in self.c_fields:
            raise AttributeError(f"{self.c_type} has no field {name!r}")
        return self.c_fields[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.c_fields)

    def __len__(self) -> int:
        return len(self.c_fields)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self.c_fields]

    def __str__(self) -> str:
        inner = ", ".join(f"{name} = {shown(value)}" for name, value in self.c_fields.items())
        return f"{{{inner}}}"


class Array(tuple["Value", ...]):
    """An array: a tuple of its elements, or of as many as were to be read."""

    length: int
    """Elements that it has in C."""

    def __new__(cls, elements: tuple[Value, ...], length: int) -> Array:
        made = super().__new__(cls, elements)
        made.length = length
        return made

    @property
    def cut(self) -> bool:
        """Whether elements were left out."""
        return len(self) < self.length

    def __str__(self) -> str:
        inner = ", ".join(shown(element) for element in self)
        return f"{{{inner}, … {self.length} in all}}" if self.cut else f"{{{inner}}}"


class Bytes(bytes):
    """An array of characters, with what stands behind its string's end; or its beginning."""

    length: int
    """Bytes that it has in C."""

    def __new__(cls, data: bytes, length: int) -> Bytes:
        made = super().__new__(cls, data)
        made.length = length
        return made

    @property
    def cut(self) -> bool:
        """Whether bytes were left out."""
        return len(self) < self.length


Value = bool | int | float | str | None | Enumerator | Pointer | Struct | Array | Bytes | Unreadable
"""What :meth:`harness.debug.debugger.Debugger.evaluate` returns; None is ``void``."""


def value_of(plain: Any) -> Value:
    """Return the value that gdb's side has put into JSON (``gdb_side/values.py``)."""
    if not isinstance(plain, dict):
        return plain  # type: ignore[no-any-return]  # a scalar
    if "pointer" in plain:
        text = None if plain["text"] is None else bytes.fromhex(plain["text"])
        return Pointer(plain["pointer"], plain["type"], plain["symbol"], text)
    if "struct" in plain:
        return Struct(plain["struct"], values_of(plain["fields"]))
    if "array" in plain:
        return Array(tuple(value_of(one) for one in plain["array"]), plain["length"])
    if "bytes" in plain:
        return Bytes(bytes.fromhex(plain["bytes"]), plain["length"])
    if "enum" in plain:
        return Enumerator(plain["enum"], plain["value"], plain["type"])
    return Unreadable(plain["unreadable"])


def values_of(plain: Mapping[str, Any]) -> dict[str, Value]:
    """Return named values."""
    return {name: value_of(one) for name, one in plain.items()}


def shown(value: Value) -> str:
    """Return a value for people."""
    return repr(value) if isinstance(value, bytes) else str(value)
