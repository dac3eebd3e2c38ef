"""Heaps of blocks one behind the other, each with a header in front of its bytes."""

from __future__ import annotations

import numpy as np

from harness.decode.address_space import NotReadable
from harness.decode.belief.heaps import CHAIN_BLOCK, HeaderChain
from harness.decode.context import Context, Undecodable
from harness.decode.expression import Scope
from harness.decode.links import Break, Chain, ListShape, PointerReader, faults_of, follow
from harness.decode.records import Records, read_all
from harness.image.c_type import CType
from harness.image.schema.heaps import HeaderChain as Description

MAX_BLOCKS = 1 << 17
"""Of one heap. Those of 4 MiB with 16 bytes in each, headers included, are as many."""


def decode_header_chain(context: Context, description: Description) -> HeaderChain:
    """Go from header to header; raise :class:`Undecodable` when not even the first can be found."""
    header = context.kernel.types.lookup(description.header)
    if not header.size:
        raise Undecodable(f"a header is a {header}, which has no size")
    end = None if description.end is None else context.evaluate.integer(description.end)
    first = context.evaluate.integer(description.first) % (1 << 32)
    if description.next is not None:
        chain = _linked(context, header, description.next, first)
    else:
        assert end is not None
        chain = _adjacent(context, header, description.size, range(first, end % (1 << 32)))
    records = read_all(context, header, chain.nodes)
    lost = (Break("the header is not mapped", (address,)) for address in records.lost)
    return HeaderChain(
        name=description.name,
        header_size=header.size,
        blocks=_blocks(context, description, records),
        end=None if end is None else end % (1 << 32),
        merged=description.merged,
        owner=description.owner,
        live=context.counter(description.live),
        bytes=context.counter(description.bytes),
        faults=faults_of(description.name, (*chain.breaks, *lost)),
    )


def _linked(context: Context, header: CType, next_: str, first: int) -> Chain:
    shape = ListShape("null", header.stripped.member(next_).offset, None)
    links = PointerReader(context.space)
    return follow(shape, 0, first, links, links, MAX_BLOCKS)


def _adjacent(context: Context, header: CType, size: str, heap: range) -> Chain:
    """Return the headers of a heap in which one follows where the bytes of another end."""
    found: list[int] = []
    at = heap.start
    while at < heap.stop:
        chain = (*found[-2:], at)
        if len(found) == MAX_BLOCKS:
            return Chain(found, (Break(f"the heap has more than {MAX_BLOCKS} blocks", chain),))
        try:
            bytes_ = context.evaluate.integer(size, Scope(structure=(header, at)))
        except NotReadable as error:
            return Chain(found, (Break(f"the next header cannot be read: {error}", chain),))
        found.append(at)
        if bytes_ < 0 or at + header.size + bytes_ > heap.stop:
            message = f"the header says {bytes_} bytes, which end beyond the heap's 0x{heap.stop:x}"
            return Chain(found, (Break(message, chain),))
        at += header.size + bytes_
    return Chain(found)


def _blocks(
    context: Context, description: Description, records: Records
) -> np.ndarray[tuple[int], np.dtype[np.void]]:
    def column(expression: str | None, default: int) -> list[int]:
        return records.column(context, expression, default)

    blocks = np.zeros(len(records.rows), dtype=CHAIN_BLOCK)
    blocks["header"] = records.addresses
    blocks["size"] = column(description.size, 0)
    blocks["used"] = np.array(column(description.used, 1)) != 0
    blocks["good"] = np.array(column(description.magic, 1)) != 0
    blocks["previous"] = -1
    if description.previous is not None:
        blocks["previous"] = column(description.previous, 0)
    return blocks
