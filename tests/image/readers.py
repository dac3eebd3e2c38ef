"""One check for both readers of a layout: construct and numpy."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.image.c_type import CType, Encoding, Kind
from harness.image.layouts import bits
from harness.image.types import TypeTable


def assert_readers_agree(types: TypeTable, name: str, data: bytes) -> Any:
    """Parse ``data`` as ``name`` with both readers, compare, and build it back."""
    type_ = types.lookup(name)
    layout, dtype = types.construct(name), types.dtype(name)
    assert layout.sizeof() == dtype.itemsize == type_.size
    parsed = layout.parse(data)
    array = np.frombuffer(data, dtype, 1)
    _compare(type_, parsed, array[0])
    built = layout.build(parsed)
    assert len(built) == type_.size
    covered = _covered(type_)
    assert [built[i] for i in covered] == [data[i] for i in covered]
    return parsed


def _compare(type_: CType, parsed: Any, element: Any) -> None:
    plain = type_.stripped
    if plain.kind is Kind.ARRAY:
        assert len(parsed) == len(element) == (plain.count or 0)
        for one, other in zip(parsed, element, strict=True):
            _compare(plain.target, one, other)
    elif plain.kind in (Kind.STRUCT, Kind.UNION):
        for member in plain.fields():
            if member.bit_size is None:
                _compare(member.type, parsed[member.name], element[member.name])
            else:
                values = bits(np.array([element[member.name]]), member)
                assert parsed[member.name] == int(values[0])
    elif isinstance(parsed, bytes):
        assert element.tobytes() == parsed
    else:
        assert parsed == element.item() or (parsed != parsed and element != element)


def _covered(type_: CType) -> list[int]:
    """Bytes of a type that building must bring back: no padding, no bit-fields.

    Nor floats: Python's have no signalling NaNs.
    """
    plain = type_.stripped
    if plain.encoding is Encoding.FLOAT:
        return []
    if plain.kind is Kind.ARRAY:
        step = plain.target.size
        inner = _covered(plain.target)
        return [n * step + i for n in range(plain.count or 0) for i in inner]
    if plain.kind not in (Kind.STRUCT, Kind.UNION):
        return list(range(type_.size))
    return [m.offset + i for m in plain.fields() if m.bit_size is None for i in _covered(m.type)]
