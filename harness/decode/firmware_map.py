"""The kernel's own copy of the firmware's map: a table of regions."""

from __future__ import annotations

from harness.decode.belief.frames import MapRegion
from harness.decode.context import Context
from harness.decode.table import read_table
from harness.image.schema.layout import FirmwareMap as Description


def decode_firmware_map(context: Context, described: Description) -> tuple[MapRegion, ...] | None:
    """Return the table's regions in its order, None when the description has none.

    Raise what :func:`harness.decode.table.read_table` does.
    """
    if described.array is None or described.count is None:
        return None
    members = (described.start or "0", described.end or "0", described.usable or "0")
    rows, _ = read_table(context, described.array, described.count, members)
    return tuple(MapRegion(start, end, bool(usable)) for start, end, usable in rows)
