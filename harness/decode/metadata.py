"""Memory that the memory manager keeps its own records in, beyond its static data."""

from __future__ import annotations

from harness.decode.belief.frames import Metadata
from harness.decode.belief.paging import FRAME_SIZE
from harness.decode.context import Context, Undecodable
from harness.decode.expression import Scope
from harness.image.schema.frames import Metadata as Description

MAX_CHAIN = 1 << 16
"""Records followed: frames of them, 256 MiB."""


def decode_metadata(context: Context, description: Description) -> Metadata:
    """Find one run of memory, or a chain of single frames; raise :class:`Undecodable`."""
    if description.chain is not None and description.next is not None:
        storage = tuple(_chain(context, description.chain, description.next))
    else:
        assert description.start is not None
        assert description.length is not None
        start = context.evaluate.integer(description.start)
        length = context.evaluate.integer(description.length)
        storage = context.space.physical_ranges(start, length)
    return Metadata(description.name, storage, description.owner)


def _chain(context: Context, head: str, following: str) -> list[range]:
    """Follow pointers from ``head`` through the member ``following`` to NULL."""
    node = context.evaluate.locate(head)
    record = node.type.stripped.target
    address = context.evaluate.integer(head)
    seen: dict[int, None] = {}
    while address:
        if address in seen:
            raise Undecodable("the chain leads back into itself", *list(seen)[-3:], address)
        if len(seen) == MAX_CHAIN:
            raise Undecodable(f"the chain has more than {MAX_CHAIN} records", address)
        seen[address] = None
        scope = Scope(structure=(record, address))
        address = context.evaluate.integer(following, scope)
    frames = (context.space.translate(address) // FRAME_SIZE for address in seen)
    return [range(frame * FRAME_SIZE, (frame + 1) * FRAME_SIZE) for frame in frames]
