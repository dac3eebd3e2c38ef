"""Heaps whose blocks have headers, and the virtual areas that they are cut from."""

from __future__ import annotations

from harness.decode.address_space import NotReadable
from harness.decode.context import Context, Undecodable
from harness.decode.expression import Scope, Value
from harness.decode.links import BadNode, Break, Chain, ListShape, PointerReader, follow
from harness.decode.state import DecodeFault, Heap, HeapArea, HeapBlock
from harness.image.c_type import CType
from harness.image.description import Heap as Description

MAX_AREAS = 1 << 20
"""A page each would fill 4 GiB."""


def decode_heap(context: Context, description: Description) -> Heap:
    """Follow the circular list of areas; read the header at the start of each used one."""
    evaluate = context.evaluate
    area_type = context.kernel.types.lookup(description.area)
    link = area_type.stripped.member(description.link)
    chain = _areas(context, description, link.type)
    areas: list[HeapArea] = []
    breaks = list(chain.breaks)
    for node in chain.nodes:
        try:
            areas.append(_area(context, description, Value(area_type, address=node - link.offset)))
        except NotReadable as error:
            breaks.append(Break(error.reason, (node, error.address)))
    return Heap(
        name=description.name,
        start=evaluate.integer(description.start),
        end=evaluate.integer(description.end),
        areas=tuple(areas),
        header_size=_header_size(context, description),
        owner=description.owner or description.name,
        blocks=context.counter(description.blocks),
        bytes=context.counter(description.bytes),
        frames=context.counter(description.frames),
        faults=tuple(DecodeFault(description.name, b.message, b.chain) for b in breaks),
    )


def _areas(context: Context, description: Description, link: CType) -> Chain:
    """Return the addresses of the areas' links."""
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


def _header_size(context: Context, description: Description) -> int:
    return 0 if description.header is None else context.kernel.types.lookup(description.header).size


def _area(context: Context, description: Description, area: Value) -> HeapArea:
    scope = Scope(structure=area)
    start = context.evaluate.integer(description.area_start, scope)
    pages = context.evaluate.integer(description.area_pages, scope)
    used = bool(context.evaluate.integer(description.area_used, scope))
    block = _block(context, description, start) if used and description.header else None
    return HeapArea(start, pages, used, block)


def _block(context: Context, description: Description, start: int) -> HeapBlock | None:
    """Read the header at the start of an area; None when it is not mapped."""
    assert description.header is not None
    scope = Scope(structure=Value(context.kernel.types.lookup(description.header), address=start))
    size, magic = description.size, description.magic
    try:
        return HeapBlock(
            header=start,
            size=0 if size is None else context.evaluate.integer(size, scope),
            magic_good=magic is None or bool(context.evaluate.integer(magic, scope)),
        )
    except NotReadable:
        return None
