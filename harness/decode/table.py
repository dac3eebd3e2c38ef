"""Tables in a kernel's memory: the first so many elements of an array of structures."""

from __future__ import annotations

from harness.decode.context import Context, Undecodable
from harness.decode.frame_table import element_of

MAX_ROWS = 1 << 16
"""Elements read at most; the tables that are read so have a fixed size, far below this."""


def read_table(
    context: Context, array: str, count: str, expressions: tuple[str, ...]
) -> tuple[list[tuple[int, ...]], tuple[range, ...]]:
    """Return a row for each of the ``count`` first elements of ``array``, in its order.

    A row holds what each of ``expressions`` is over the members of the element. With the rows
    comes where the elements lie: ranges of physical bytes. Raise :class:`Undecodable`,
    ``NotReadable`` or ``ExpressionError``.
    """
    found = context.evaluate.locate(array)
    most = min(found.type.stripped.count or MAX_ROWS, MAX_ROWS)
    virtual, element = element_of(found, context)
    number = context.count(count, "the number of elements", most)
    if not element.size:
        raise Undecodable(f"the elements of the array are {element}, which has no size", virtual)
    rows = context.space.array(virtual, context.kernel.types.dtype(element), number)
    columns = [
        [int(value) for value in context.evaluate.column(expression, rows, element).tolist()]
        for expression in expressions
    ]
    storage = context.space.physical_ranges(virtual, number * element.size)
    return list(zip(*columns, strict=True)), storage
