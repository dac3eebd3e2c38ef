"""Heaps whose blocks have headers, and the virtual areas that they are cut from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.decode.address_space import NotReadable
from harness.decode.context import Context, Undecodable
from harness.decode.expression import Scope, Value
from harness.decode.links import BadNode, Break, Chain, ListShape, PointerReader, follow
from harness.decode.state import DecodeFault, Heap, HeapArea, HeapBlock, Magic
from harness.image.c_type import CType
from harness.image.description import Heap as Description

MAX_AREAS = 1 << 18
"""A page each would fill 1 GiB, the kernel's part of most 32-bit address spaces."""


def decode_heap(context: Context, description: Description) -> Heap | None:
    """Follow the circular list of areas; read the header at the start of each used one.

    Return None where the heap is not in use.
    """
    evaluate = context.evaluate
    if not context.holds(description.chosen, otherwise=True):
        return None
    area_type = context.kernel.types.lookup(description.area)
    link = area_type.stripped.member(description.link)
    chain = _links(context, description, link.type)
    records = _read_all(context, area_type, [node - link.offset for node in chain.nodes])
    lost = (Break("the area's record is not mapped", (address,)) for address in records.lost)
    header = None if description.header is None else context.kernel.types.lookup(description.header)
    return Heap(
        name=description.name,
        start=evaluate.integer(description.start),
        end=evaluate.integer(description.end),
        areas=tuple(_areas(context, description, records, header)),
        header_size=0 if header is None else header.size,
        owner=description.owner or description.name,
        blocks=context.counter(description.blocks),
        bytes=context.counter(description.bytes),
        frames=context.counter(description.frames),
        faults=tuple(
            DecodeFault(description.name, b.message, b.chain) for b in (*chain.breaks, *lost)
        ),
    )


def _links(context: Context, description: Description, link: CType) -> Chain:
    """Return the addresses of the areas' links, in list order."""
    head = context.evaluate.locate(description.areas).address
    if head is None:
        raise Undecodable(f"{description.areas} is not in memory")
    members = link.stripped
    previous = description.previous
    shape = ListShape(
        "circular",
        members.member(description.next).offset,
        None if previous is None else members.member(previous).offset,
    )
    links = PointerReader(context.space)
    try:
        return follow(shape, head, links.read(head + shape.next), links, links, MAX_AREAS)
    except BadNode as error:
        raise Undecodable(str(error), head) from None


@dataclass(frozen=True)
class _Records:
    """Structures of one type copied from places all over virtual memory."""

    type: CType
    addresses: list[int]
    rows: npt.NDArray[Any]
    """One for each of ``addresses``."""
    lost: list[int]
    """Addresses that cannot be read."""

    def column(self, context: Context, expression: str | None, default: int) -> list[int]:
        """Evaluate an expression over each structure."""
        if expression is None:
            return [default] * len(self.rows)
        numbers: list[int] = context.evaluate.column(expression, self.rows, self.type).tolist()
        return numbers


def _read_all(context: Context, type_: CType, addresses: list[int]) -> _Records:
    found: list[int] = []
    lost: list[int] = []
    copies: list[bytes] = []
    for address in addresses:
        try:
            copies.append(context.space.read(address, type_.size))
            found.append(address)
        except NotReadable:
            lost.append(address)
    dtype = context.kernel.types.dtype(type_)
    rows = np.frombuffer(b"".join(copies), dtype) if copies else np.empty(0, dtype)
    return _Records(type_, found, rows, lost)


def _areas(
    context: Context, description: Description, records: _Records, header: CType | None
) -> Iterator[HeapArea]:
    starts = records.column(context, description.area_start, 0)
    pages = records.column(context, description.area_pages, 0)
    used = records.column(context, description.area_used, 0)
    taken = [start for start, flag in zip(starts, used, strict=True) if flag]
    blocks = {} if header is None else _blocks(context, description, header, taken)
    for start, count, flag in zip(starts, pages, used, strict=True):
        yield HeapArea(start, count, bool(flag), blocks.get(start) if flag else None)


def _blocks(
    context: Context, description: Description, header: CType, starts: list[int]
) -> dict[int, HeapBlock]:
    """Read the headers at the start of areas; those that are not mapped are left out."""
    records = _read_all(context, header, starts)
    sizes = records.column(context, description.size, 0)
    magics = records.column(context, description.magic, 1)
    return {
        address: HeapBlock(
            address,
            size,
            bool(good),
            None if good else _magic(context, description, header, address),
        )
        for address, size, good in zip(records.addresses, sizes, magics, strict=True)
    }


def _magic(context: Context, description: Description, header: CType, address: int) -> Magic | None:
    """Return which number it is that does not mark a header."""
    assert description.magic is not None
    scope = Scope(structure=Value(header, address=address))
    compared = context.evaluate.comparison(description.magic, scope)
    return None if compared is None else Magic(*compared)
