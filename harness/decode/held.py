"""Which frames callers of the frame interface hold, where the frame allocator does not note it."""

from __future__ import annotations

from harness.decode.belief.frames import Held
from harness.decode.bitmap import read_bits
from harness.decode.context import MAX_FRAMES, Context
from harness.image.schema.frames import Held as Description


def decode_held(context: Context, description: Description) -> Held:
    """Decode the bitmap; raise ``Undecodable``, ``NotReadable`` or ``ExpressionError``."""
    count = context.count(description.bits, "the number of bits", MAX_FRAMES)
    _, bits = read_bits(context, description.words, count)
    return Held(bits[:count] == 1)
