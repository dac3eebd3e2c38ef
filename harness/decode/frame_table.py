"""The frame table: an array with one structure a frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.decode.belief.frames import FrameTable
from harness.decode.context import MAX_FRAMES, Context, Undecodable
from harness.decode.expression import Value
from harness.decode.members import member_offset
from harness.image.c_type import CType, Kind
from harness.image.schema.frames import FrameTable as Description


@dataclass(frozen=True)
class Frames:
    """The frame table as it lies in memory."""

    virtual: int
    """Of the first element."""
    type: CType
    """Of an element."""
    rows: npt.NDArray[Any]
    """Structured as the C type is; a view of guest memory where that can be."""
    first_frame: int


def read_frames(context: Context, description: Description) -> Frames:
    """Find the table; raise :class:`Undecodable`, ``NotReadable`` or ``ExpressionError``."""
    virtual, element = element_of(context.evaluate.locate(description.array), context)
    first = context.count(description.first_frame, "the first frame", MAX_FRAMES)
    count = context.count(description.count, "the number of frames", MAX_FRAMES - first)
    if not element.size:
        raise Undecodable(f"the elements of the array are {element}, which has no size", virtual)
    rows = context.space.array(virtual, context.kernel.types.dtype(element), count)
    return Frames(virtual, element, rows, first)


def element_of(value: Value, context: Context) -> tuple[int, CType]:
    """Return the virtual address of an array's first element, and the element's type."""
    plain = value.type.stripped
    if plain.kind is Kind.ARRAY and value.address is not None:
        return value.address, plain.target.stripped
    if plain.kind is not Kind.POINTER:
        raise Undecodable(f"a {value.type} is no array")
    if value.number is not None:
        return int(value.number), plain.target.stripped
    assert value.address is not None
    pointer = int.from_bytes(context.space.read(value.address, plain.size), "little")
    return pointer, plain.target.stripped


def decode_frame_table(context: Context, description: Description, frames: Frames) -> FrameTable:
    """Evaluate the description's expressions over all elements."""

    def column(expression: str | None) -> npt.NDArray[Any]:
        if expression is None:
            return np.zeros(len(frames.rows), dtype=np.int64)
        return context.evaluate.column(expression, rows, frames.type)

    rows = frames.rows
    size = frames.type.size * len(rows)
    return FrameTable(
        first_frame=frames.first_frame,
        free=column(description.free) != 0,
        order=_narrowed(column(description.order), np.uint8),
        reserved=column(description.reserved) != 0,
        users=_narrowed(column(description.users), np.uint32),
        zone=_narrowed(column(description.zone), np.uint8),
        owners={name: column(text) != 0 for name, text in description.owners.items()},
        storage=context.space.physical_ranges(frames.virtual, size),
        element_size=frames.type.size,
        members=_members(description, frames.type),
    )


def _members(description: Description, type_: CType) -> dict[str, int]:
    """Return where in an element each expression looks."""
    keys = ("free", "order", "reserved", "users", "zone")
    expressions = {key: getattr(description, key) for key in keys} | dict(description.owners)
    offsets = {name: member_offset(type_, text) for name, text in expressions.items()}
    return {name: offset for name, offset in offsets.items() if offset is not None}


def _narrowed(numbers: npt.NDArray[Any], dtype: type[np.unsignedinteger[Any]]) -> npt.NDArray[Any]:
    """Return an owned copy in ``dtype``; what is out of its range becomes its largest value."""
    largest = np.iinfo(dtype).max
    own = numbers.dtype
    if own.kind == "u" and own.itemsize <= np.dtype(dtype).itemsize:
        return numbers.astype(dtype)
    return np.where((numbers < 0) | (numbers > largest), largest, numbers).astype(dtype)
