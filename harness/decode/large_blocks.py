"""Blocks that have whole pages to themselves, with a header in front, on one list."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from harness.decode.belief.heaps import LargeBlock, LargeBlocks
from harness.decode.belief.paging import FRAME_SIZE
from harness.decode.context import Context, Undecodable
from harness.decode.heap_bytes import believed
from harness.decode.links import Break, faults_of
from harness.decode.records import follow_circular, read_all
from harness.image.schema.heaps import LargeBlocks as Description

MAX_BLOCKS = 1 << 20


def decode_large_blocks(context: Context, description: Description) -> LargeBlocks:
    """Follow the list; raise :class:`Undecodable` or ``NotReadable`` when it has no head."""
    block_type = context.kernel.types.lookup(description.block)
    link = block_type.stripped.member(description.link)
    head = context.evaluate.locate(description.blocks).address
    if head is None:
        raise Undecodable(f"{description.blocks} is not in memory")
    names = (description.next, description.previous)
    chain = follow_circular(context, head, link.type, *names, MAX_BLOCKS)
    records = read_all(context, block_type, [node - link.offset for node in chain.nodes])
    lost = [Break("the block's header is not mapped", (head, at)) for at in records.lost]
    sizes = records.column(context, description.size, 0)
    pages = records.column(context, description.pages, 0)
    keys = records.addresses
    if description.key is not None:
        keys = [key % (1 << 32) for key in records.column(context, description.key, 0)]
    shown = believed(pages)
    blocks = tuple(
        LargeBlock(header, _frames(context, header, some), size, count, key == header)
        for header, size, count, some, key in zip(
            records.addresses, sizes, pages, shown, keys, strict=True
        )
    )
    return LargeBlocks(
        name=description.name,
        blocks=blocks,
        header_size=block_type.size,
        owner=description.owner or description.name,
        count=context.counter(description.count),
        bytes=context.counter(description.bytes),
        frames=context.counter(description.frames),
        faults=faults_of(description.name, (*chain.breaks, *lost)),
    )


def _frames(context: Context, header: int, pages: int) -> npt.NDArray[np.int64]:
    """Return the frames behind a block's pages, -1 where none is."""
    start = header // FRAME_SIZE * FRAME_SIZE
    virtual = np.arange(start, start + pages * FRAME_SIZE, FRAME_SIZE, dtype=np.uint64)
    physical = context.space.translate_all(virtual)
    return np.where(physical >= 0, physical // FRAME_SIZE, -1)
