"""The pair bitmap of a buddy allocator: which of two buddies is free, in one bit."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from harness.decode.belief.frames import PairMap, PairZone
from harness.decode.belief.paging import FRAME_SIZE
from harness.decode.bitmap import read_bits
from harness.decode.context import MAX_FRAMES, Context, Undecodable
from harness.decode.expression import Scope
from harness.decode.free_lists import MAX_ORDERS, MAX_ZONES
from harness.image.schema.frames import PairMap as Description


def decode_pair_map(context: Context, description: Description) -> PairMap:
    """Decode the map; raise :class:`Undecodable`, ``NotReadable`` or ``ExpressionError``."""
    zones = context.count(description.zones, "the number of zones", MAX_ZONES)
    return PairMap(
        name=description.name,
        zones=tuple(_decode_zone(context, description, zone) for zone in range(zones)),
        managed=_managed(context, description),
    )


def _managed(context: Context, description: Description) -> npt.NDArray[np.bool_] | None:
    if description.managed is None or description.managed_bits is None:
        return None
    count = context.count(description.managed_bits, "the number of frames", MAX_FRAMES)
    _, bits = read_bits(context, description.managed, count)
    managed: npt.NDArray[np.bool_] = bits[:count] == 1
    return managed


def _decode_zone(context: Context, description: Description, zone: int) -> PairZone:
    def number(expression: str, what: str, limit: int, order: int = 0) -> int:
        scope = Scope({"zone": zone, "order": order})
        found = context.evaluate.integer(expression, scope)
        if not 0 <= found <= limit:
            reason = f"{what} of zone {zone} is {found}, which is not between 0 and {limit}"
            raise Undecodable(reason)
        return found

    size = number(description.size, "the size", MAX_FRAMES * FRAME_SIZE)
    max_order = number(description.max_order, "the largest order", MAX_ORDERS - 1)
    length = number(description.length, "the length of the map", MAX_FRAMES)
    start = number(description.bytes, "the address of the map", (1 << 32) - 1)
    bits = _bits(context, start, length)
    pairs = []
    for order in range(max_order):
        count = -(-size // (FRAME_SIZE << (order + 1)))
        what = f"the first bit of order {order}, with {count} pairs,"
        first = number(description.first_bit, what, len(bits) - count, order)
        pairs.append(bits[first : first + count] == 1)
    base = number(description.base, "the base", (1 << 32) - 1)
    return PairZone(base, size, max_order, tuple(pairs))


def _bits(context: Context, virtual: int, length: int) -> npt.NDArray[np.uint8]:
    bytes_ = context.space.array(virtual, "u1", length).view(np.uint8)
    return np.unpackbits(bytes_, bitorder="little")
