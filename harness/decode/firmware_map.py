"""The kernel's own copy of the firmware's map: a table of regions."""

from __future__ import annotations

from harness.decode.context import Context, Undecodable
from harness.decode.frame_table import element_of
from harness.decode.state import MapRegion
from harness.image.description import FirmwareMap as Description

MAX_REGIONS = 1 << 16
"""Regions read at most; firmware has some dozens, and a table in a kernel has a fixed size."""


def decode_firmware_map(context: Context, described: Description) -> tuple[MapRegion, ...] | None:
    """Return the table's regions in its order, None when the description has none.

    Raise :class:`Undecodable`, ``NotReadable`` or ``ExpressionError``.
    """
    if described.array is None or described.count is None:
        return None
    found = context.evaluate.locate(described.array)
    most = found.type.stripped.count or MAX_REGIONS
    virtual, element = element_of(found, context)
    count = context.count(described.count, "the number of regions", min(most, MAX_REGIONS))
    if not element.size:
        raise Undecodable(f"the elements of the array are {element}, which has no size", virtual)
    rows = context.space.array(virtual, context.kernel.types.dtype(element), count)

    def column(expression: str | None) -> list[int]:
        numbers = context.evaluate.column(expression or "0", rows, element).tolist()
        return [int(number) for number in numbers]

    columns = column(described.start), column(described.end), column(described.usable)
    regions = zip(*columns, strict=True)
    return tuple(MapRegion(start, end, bool(usable)) for start, end, usable in regions)
