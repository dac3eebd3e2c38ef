"""Bump allocators: a table of ranges, each given out from its start up to a cursor."""

from __future__ import annotations

from harness.decode.belief.frames import Bump, BumpRange
from harness.decode.context import Context
from harness.decode.table import read_table
from harness.image.schema.frames import Bump as Description


def decode_bump(context: Context, description: Description, moment: str) -> Bump | None:
    """Decode the ranges at their moment; at others only tell whether they are gone, if they say so.

    Raise what :func:`harness.decode.table.read_table` does.
    """
    name = description.name
    chosen = context.holds(description.chosen, otherwise=True)
    gone = context.holds(description.gone, otherwise=not chosen)
    if gone or not chosen or description.moment != moment:
        if description.gone is None and chosen:
            return None
        return Bump(name, (), (), gone=gone, chosen=chosen)
    members = (description.start, description.cursor, description.end)
    rows, storage = read_table(context, description.array, description.count, members)
    return Bump(name, tuple(BumpRange(*row) for row in rows), storage)
