"""Heaps of sub-blocks: a list of blocks, each with a map of its pieces at its start."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from harness.decode.address_space import NotReadable
from harness.decode.belief.fault import DecodeFault
from harness.decode.belief.heaps import SubblockBlock, SubblockHeap
from harness.decode.belief.paging import FRAME_SIZE
from harness.decode.context import Context, Undecodable
from harness.decode.expression import Scope, Value
from harness.decode.links import Break, Chain, ListShape, PointerReader, follow
from harness.image.c_type import CType
from harness.image.schema.heaps import SubblockHeap as Description

MAX_CHUNKS = (1 << 32) // FRAME_SIZE
"""Pages of all blocks together: a 32-bit address space has no more."""
MAX_BLOCKS = 1 << 18
"""Of a page each they would fill 1 GiB, the kernel's part of most 32-bit address spaces."""


def decode_subblock_heap(context: Context, description: Description) -> SubblockHeap:
    """Follow the list of blocks and copy each one's map; raise :class:`Undecodable`."""
    pointer = context.evaluate.locate(description.blocks)
    block = pointer.type.stripped.target
    chain = _links(context, description, block)
    blocks: list[SubblockBlock] = []
    breaks = list(chain.breaks)
    for found in _blocks(context, description, block, chain.nodes):
        if isinstance(found, Break):
            breaks.append(found)
        else:
            blocks.append(found)
    return SubblockHeap(
        name=description.name,
        subblock=description.subblock,
        blocks=tuple(blocks),
        owner=description.owner,
        spare=context.counter(description.spare),
        live=context.counter(description.live),
        used=context.counter(description.used),
        held=context.counter(description.held),
        faults=tuple(DecodeFault(description.name, b.message, b.chain) for b in breaks),
    )


def _links(context: Context, description: Description, block: CType) -> Chain:
    """Return the addresses of the blocks, in list order."""
    first = context.evaluate.integer(description.blocks)
    shape = ListShape("null", block.stripped.member(description.next).offset, None)
    links = PointerReader(context.space)
    return follow(shape, 0, first, links, links, MAX_BLOCKS)


def _blocks(
    context: Context, description: Description, block: CType, addresses: list[int]
) -> Iterator[SubblockBlock | Break]:
    """Yield each block, or why it is none; end where there are more than memory can hold."""
    total = 0
    for address in addresses:
        if address % FRAME_SIZE:
            yield Break("the block does not begin where a page does", (address,))
            continue
        try:
            found = _block(context, description, block, address, MAX_CHUNKS - total)
        except NotReadable as error:
            yield Break(f"the block cannot be read: {error}", (address, error.address))
            continue
        except Undecodable as error:
            yield Break(str(error), error.chain)
            return
        total += found.chunks
        yield found


def _block(
    context: Context, description: Description, block: CType, address: int, room: int
) -> SubblockBlock:
    scope = Scope(structure=Value(block, address=address))
    chunks = 1
    if description.chunks is not None:
        chunks = context.evaluate.integer(description.chunks, scope)
    if not 0 < chunks <= room:
        raise Undecodable(f"the block has {chunks} chunks, which cannot be", address)
    offset = block.stripped.member(description.map).offset
    count = chunks * FRAME_SIZE // description.subblock
    longest = description.longest
    values = context.space.array(address + offset, np.uint8, count)
    return SubblockBlock(
        start=address,
        chunks=chunks,
        free=context.evaluate.integer(description.free, scope),
        map_offset=offset,
        map=np.array(values),
        longest=None if longest is None else context.evaluate.integer(longest, scope),
    )
