"""Bitmaps with one bit a frame, bit 0 of the first word first."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from harness.decode.belief.frames import Bitmap
from harness.decode.context import MAX_FRAMES, Context
from harness.decode.frame_table import element_of
from harness.image.schema.frames import Bitmap as Description


def decode_bitmap(context: Context, description: Description, moment: str) -> Bitmap | None:
    """Decode a bitmap at its moment; at others only tell whether it is gone, if it says so.

    Words are little-endian, so bit ``i`` of the bitmap is bit ``i % 8`` of byte ``i // 8``
    whatever the width of a word is.
    """
    chosen = context.holds(description.chosen, otherwise=True)
    gone = context.holds(description.gone, otherwise=not chosen)
    if gone or not chosen or description.moment != moment:
        if description.gone is None and chosen:
            return None
        empty = np.empty(0, dtype=bool)
        return Bitmap(description.name, 0, empty, True, (), gone=gone, chosen=chosen)
    first = context.count(description.first_frame, "the first frame", MAX_FRAMES)
    count = context.count(description.bits, "the number of bits", MAX_FRAMES - first)
    virtual, bits = read_bits(context, description.words, count)
    taken = bits == description.taken
    storage = context.space.physical_ranges(virtual, len(bits) // 8)
    return Bitmap(
        name=description.name,
        first_frame=first,
        taken=taken[:count].copy(),
        padding_taken=bool(taken[count:].all()),
        storage=storage if description.metadata is None else (),
        free_count=context.counter(description.free_count),
        reserved=_reserved(context, description, count),
        managed_count=context.counter(description.managed),
        cursor=context.counter(description.cursor),
        places=_places(context, description, virtual, count),
    )


def _places(context: Context, description: Description, words: int, count: int) -> dict[str, int]:
    places = {
        key: context.place(getattr(description, key)) for key in ("free_count", "managed", "cursor")
    }
    if description.reserved is not None:
        places["reserved"] = read_bits(context, description.reserved, count)[0]
    return {"words": words} | {key: at for key, at in places.items() if at is not None}


def _reserved(
    context: Context, description: Description, count: int
) -> npt.NDArray[np.bool_] | None:
    if description.reserved is None:
        return None
    bits = read_bits(context, description.reserved, count)[1]
    reserved: npt.NDArray[np.bool_] = bits[:count] == 1
    return reserved


def read_bits(context: Context, words: str, count: int) -> tuple[int, npt.NDArray[np.uint8]]:
    """Return the virtual address of an array of words, and the bits of the first of them.

    There are at least ``count`` bits, each an element: as many as whole words hold. Raise
    :class:`Undecodable`, ``NotReadable`` or ``ExpressionError``.
    """
    virtual, word = element_of(context.evaluate.locate(words), context)
    width = (word.size or 1) * 8
    size = -(-count // width) * width // 8
    bytes_ = context.space.array(virtual, "u1", size).view(np.uint8)
    return virtual, np.unpackbits(bytes_, bitorder="little")
