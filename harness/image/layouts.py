"""One C layout, two readers: ``construct`` for one value both ways, numpy for a million.

Both give integers for enums and pointers, sequences for arrays, and the members of anonymous
structs and unions as members of the struct around them.
"""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import construct as cs
import numpy as np
import numpy.typing as npt

from harness.image.c_type import CType, Encoding, Kind, Member

_FLOATS = {4: cs.Float32l, 8: cs.Float64l}
_NUMPY_INTEGERS = (1, 2, 4, 8)


# construct has no types for mypy, so its classes are Any.
class Layout(cs.Construct):  # type: ignore[misc]
    """A struct or union whose members lie at given offsets, overlapping or not.

    Builds from a mapping of names to values; padding becomes zero. Only members that share their
    bytes, being in a union, may be left out; of those given, later ones win.
    """

    def __init__(self, type_: CType) -> None:
        super().__init__()
        self.type = type_
        self._fields = [(member, _field(member)) for member in type_.fields()]

    def _parse(self, stream: Any, context: Any, path: str) -> cs.Container:
        data = cs.stream_read(stream, self.type.size, path)
        return cs.Container({m.name: read(data) for m, (read, _) in self._fields})

    def _build(self, values: Any, stream: Any, context: Any, path: str) -> Any:
        names = {member.name for member, _ in self._fields}
        unknown = [name for name in values if name not in names and not name.startswith("_")]
        if unknown:
            raise cs.MappingError(f"{self.type} has no member {unknown[0]!r}", path=path)
        data = bytearray(self.type.size)
        for member, (_, write) in self._fields:
            if member.name in values:
                write(data, values[member.name])
            elif not member.overlaps:
                raise cs.MappingError(f"{self.type} needs {member.name!r}", path=path)
        cs.stream_write(stream, bytes(data), len(data), path)
        return values

    def _sizeof(self, context: Any, path: str) -> int:
        return self.type.size


Reader = Callable[[bytes], Any]
Writer = Callable[[bytearray, Any], None]


def _field(member: Member) -> tuple[Reader, Writer]:
    """Return how to read a member out of its struct's bytes, and how to write it there."""
    if member.bit_size is not None:
        return _bit_field(member)
    inner, start, end = construct_of(member.type), member.offset, member.offset + member.type.size

    def write(data: bytearray, value: Any) -> None:
        data[start:end] = inner.build(value)

    return lambda data: inner.parse_stream(BytesIO(data[start:end])), write


def _bit_field(member: Member) -> tuple[Reader, Writer]:
    start, size = member.storage
    width = member.bit_size or 0
    mask = (1 << width) - 1

    def read(data: bytes) -> int:
        unit = int.from_bytes(data[start : start + size], "little")
        value = unit >> member.shift & mask
        return value - (mask + 1) if member.type.signed and value >> (width - 1) else value

    def write(data: bytearray, value: int) -> None:
        if not -(mask + 1) // 2 <= value <= mask:
            raise cs.FormatFieldError(f"{value} does not fit {member.name!r}, {width} bits")
        unit = int.from_bytes(data[start : start + size], "little")
        unit = unit & ~(mask << member.shift) | (value & mask) << member.shift
        data[start : start + size] = unit.to_bytes(size, "little")

    return read, write


def construct_of(type_: CType) -> cs.Construct[Any, Any]:
    """Return the ``construct`` of a type; raise ``TypeError`` for one without a size."""
    plain = type_.stripped
    if plain.kind in (Kind.STRUCT, Kind.UNION):
        return Layout(plain)
    if plain.kind is Kind.ARRAY:
        return cs.Array(plain.count or 0, construct_of(plain.target))
    if plain.kind in (Kind.BASE, Kind.ENUM, Kind.POINTER):
        return _scalar(plain)
    raise TypeError(f"a value of type {type_} has no layout")


def _scalar(plain: CType) -> cs.Construct[Any, Any]:
    if plain.encoding is Encoding.FLOAT:
        return _FLOATS.get(plain.size) or cs.Bytes(plain.size)
    return cs.BytesInteger(plain.size, signed=plain.signed, swapped=True)


def dtype_of(type_: CType) -> np.dtype[Any]:
    """Return the numpy dtype of a type; raise ``TypeError`` for one without a size."""
    plain = type_.stripped
    if plain.kind in (Kind.STRUCT, Kind.UNION):
        return _record(plain)
    if plain.kind is Kind.ARRAY:
        return np.dtype((dtype_of(plain.target), (plain.count or 0,)))
    if plain.kind in (Kind.BASE, Kind.ENUM, Kind.POINTER):
        return _number(plain)
    raise TypeError(f"a value of type {type_} has no layout")


def _record(plain: CType) -> np.dtype[Any]:
    members = list(plain.fields())
    return np.dtype(
        {
            "names": [member.name for member in members],
            "formats": [_format(member) for member in members],
            "offsets": [member.storage[0] for member in members],
            "itemsize": plain.size,
        }
    )


def _format(member: Member) -> np.dtype[Any]:
    """Return the dtype of a member, or of the storage of a bit-field."""
    if member.bit_size is None:
        return dtype_of(member.type)
    size = member.storage[1]
    return np.dtype(f"<u{size}") if size in _NUMPY_INTEGERS else np.dtype(("u1", (size,)))


def _number(plain: CType) -> np.dtype[Any]:
    if plain.encoding is Encoding.FLOAT:
        return np.dtype(f"<f{plain.size}" if plain.size in _FLOATS else f"V{plain.size}")
    return np.dtype(f"<{'i' if plain.signed else 'u'}{plain.size}")


def bits(storage: npt.NDArray[Any], member: Member) -> npt.NDArray[Any]:
    """Return the values of a bit-field from an array of its storage units.

    ``storage`` is what a field of :func:`dtype_of` gives; the result has 64-bit elements.
    """
    width = member.bit_size or 0
    units = storage.astype(np.uint64) if storage.dtype.kind == "u" else storage
    if member.storage[1] not in _NUMPY_INTEGERS:
        weights = np.uint64(256) ** np.arange(member.storage[1], dtype=np.uint64)
        units = (units * weights).sum(axis=-1, dtype=np.uint64)
    values = units >> np.uint64(member.shift) & np.uint64((1 << width) - 1)
    if not member.type.signed:
        return values
    sign = np.uint64(1 << (width - 1))
    return (values ^ sign).astype(np.int64) - np.int64(sign)
