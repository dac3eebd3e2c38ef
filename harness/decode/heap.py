"""Heaps whose blocks have headers, and the virtual areas that they are cut from."""

from __future__ import annotations

from collections.abc import Iterator

from harness.decode.belief.heaps import Heap, HeapArea, HeapBlock, Magic
from harness.decode.context import Context, Undecodable
from harness.decode.expression import Scope
from harness.decode.links import Break, Chain, faults_of
from harness.decode.records import Records, follow_circular, read_all
from harness.image.c_type import CType
from harness.image.schema.heaps import Heap as Description

MAX_AREAS = 1 << 18
"""A page each would fill 1 GiB, the kernel's part of most 32-bit address spaces."""


def decode_heap(context: Context, description: Description) -> Heap:
    """Follow the circular list of areas; read the header at the start of each used one."""
    evaluate = context.evaluate
    area_type = context.kernel.types.lookup(description.area)
    link = area_type.stripped.member(description.link)
    chain = _links(context, description, link.type)
    records = read_all(context, area_type, [node - link.offset for node in chain.nodes])
    lost = (Break("the area's record is not mapped", (address,)) for address in records.lost)
    header = None if description.header is None else context.kernel.types.lookup(description.header)
    return Heap(
        name=description.name,
        start=evaluate.integer(description.start),
        end=evaluate.integer(description.end),
        areas=tuple(_areas(context, description, records, header)),
        header_size=0 if header is None else header.size,
        owner=description.owner or description.name,
        record_size=area_type.size,
        blocks=context.counter(description.blocks),
        bytes=context.counter(description.bytes),
        frames=context.counter(description.frames),
        faults=faults_of(description.name, (*chain.breaks, *lost)),
    )


def _links(context: Context, description: Description, link: CType) -> Chain:
    """Return the addresses of the areas' links, in list order."""
    head = context.evaluate.locate(description.areas).address
    if head is None:
        raise Undecodable(f"{description.areas} is not in memory")
    return follow_circular(context, head, link, description.next, description.previous, MAX_AREAS)


def _areas(
    context: Context, description: Description, records: Records, header: CType | None
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
    records = read_all(context, header, starts)
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
    scope = Scope(structure=(header, address))
    compared = context.evaluate.comparison(description.magic, scope)
    return None if compared is None else Magic(*compared)
