"""A frame allocator's free lists: one list for each zone and order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from harness.decode.address_space import NotReadable
from harness.decode.context import MAX_FRAMES, Context, Undecodable
from harness.decode.expression import Evaluator, Scope, Value
from harness.decode.frame_table import Frames
from harness.decode.links import (
    BadNode,
    Break,
    ListShape,
    PointerReader,
    ReadPointer,
    follow,
)
from harness.decode.state import FRAME_SIZE, DecodeFault, FreeList, FreeLists
from harness.image.c_type import CType, Kind
from harness.image.description import FreeLists as Description

MAX_ZONES = 64
MAX_ORDERS = 64


@dataclass(frozen=True)
class _Nodes:
    """How pointers become frames."""

    shape: ListShape
    inside: ReadPointer
    frame: Callable[[int], int]
    """Frame of the block whose node a pointer leads to; raises ``BadNode``."""


def decode_free_lists(
    context: Context, description: Description, frames: Frames | None
) -> FreeLists:
    """Follow every list; raise :class:`Undecodable` when it is not said where they are."""
    zones = context.count(description.zones, "the number of zones", MAX_ZONES)
    orders = context.count(description.orders, "the number of orders", MAX_ORDERS)
    lists: list[FreeList] = []
    faults: list[DecodeFault] = []
    decoder = _Decoder(context, description, frames)
    for zone in range(zones):
        for order in range(orders):
            found, breaks = decoder.decode(zone, order)
            lists.append(found)
            faults += breaks
    return FreeLists(
        name=description.name,
        lists=tuple(lists),
        free_frames=_per_zone(context.evaluate, description.frames, zones),
        managed_frames=_per_zone(context.evaluate, description.managed, zones),
        merged=description.merged,
        faults=tuple(faults),
    )


def _per_zone(evaluate: Evaluator, expression: str | None, zones: int) -> dict[int, int]:
    if expression is None:
        return {}
    return {zone: evaluate.integer(expression, Scope({"zone": zone})) for zone in range(zones)}


class _Decoder:
    """What the lists of one allocator have in common."""

    def __init__(self, context: Context, description: Description, frames: Frames | None) -> None:
        self._context = context
        self._description = description
        self._frames = frames
        self._reader = PointerReader(context.space)
        self._nodes: _Nodes | None = None

    def decode(self, zone: int, order: int) -> tuple[FreeList, list[DecodeFault]]:
        """Follow one list."""
        description, evaluate = self._description, self._context.evaluate
        scope = Scope({"zone": zone, "order": order})
        count = None if description.blocks is None else evaluate.integer(description.blocks, scope)
        empty = FreeList(zone, order, np.empty(0, dtype=np.int64), count)
        try:
            frames, breaks = self._follow(evaluate.locate(description.head, scope))
        except (NotReadable, BadNode) as error:
            address = (error.address,) if isinstance(error, NotReadable) else ()
            breaks = [Break(str(error), address)]
            return empty, self._faults(zone, order, breaks)
        return replace(empty, frames=frames), self._faults(zone, order, breaks)

    def _faults(self, zone: int, order: int, breaks: list[Break]) -> list[DecodeFault]:
        name = f"{self._description.name}, zone {zone}, order {order}"
        return [DecodeFault(name, b.message, b.chain) for b in breaks]

    def _follow(self, head: Value) -> tuple[npt.NDArray[np.int64], list[Break]]:
        if self._nodes is None:
            self._nodes = self._make_nodes(head)
        nodes, read = self._nodes, self._reader.read
        if head.address is None:
            raise Undecodable(f"the head of a list is a {head.type} that is not in memory")
        if nodes.shape.style == "circular":
            end, first = head.address, read(head.address + nodes.shape.next)
        else:
            end, first = 0, read(head.address)
        limit = MAX_FRAMES if self._frames is None else len(self._frames.rows)
        chain = follow(nodes.shape, end, first, read, nodes.inside, limit)
        breaks = list(chain.breaks)
        found: list[int] = []
        for node in chain.nodes:
            try:
                found.append(nodes.frame(node))
            except (BadNode, NotReadable) as error:
                breaks.append(Break(str(error), (node,)))
        return np.array(found, dtype=np.int64), breaks

    def _make_nodes(self, head: Value) -> _Nodes:
        """Find out from the types what the pointers point to.

        Either to whole nodes (``struct page *next``), or to the link within (``list_head``).
        """
        description = self._description
        plain = head.type.stripped
        if description.style == "circular":
            plain = plain.member(description.next).type.stripped
        if plain.kind is not Kind.POINTER:
            raise Undecodable(f"the head of a list is a {head.type}, not a pointer")
        target = plain.target.stripped
        container = self._container()
        if container is None or target is container:
            link = _offset(target, description.link) if description.link else (0, target)
            shape, start = self._shape(*link), 0
        else:
            start, _ = _offset(container, description.link)
            shape = self._shape(0, target)
        if self._frames is None or container is None:
            return _Nodes(shape, self._reader.read, lambda node: self._block(node - start))
        return self._table_nodes(self._frames, shape, start)

    def _container(self) -> CType | None:
        if self._description.nodes == "block":
            return None
        if self._frames is None:
            raise Undecodable("the frame table, whose elements are linked, cannot be decoded")
        return self._frames.type

    def _shape(self, offset: int, link: CType) -> ListShape:
        description = self._description
        previous = description.previous
        return ListShape(
            description.style,
            offset + link.member(description.next).offset,
            None if previous is None else offset + link.member(previous).offset,
        )

    def _block(self, virtual: int) -> int:
        """Return the frame of a free block that begins at a virtual address."""
        physical = self._context.space.translate(virtual)
        if physical % FRAME_SIZE:
            raise BadNode(f"no frame begins at physical 0x{physical:x}")
        return physical // FRAME_SIZE

    def _table_nodes(self, frames: Frames, shape: ListShape, start: int) -> _Nodes:
        """Read links out of the copy of the frame table."""
        size, base = frames.type.size, frames.virtual + start
        end = base + size * len(frames.rows)
        if size % 4:
            return _Nodes(shape, self._reader.read, lambda node: (node - base) // size)
        words = frames.rows.view("<u4").data
        shift = frames.virtual
        offsets = {shape.next, shape.next if shape.previous is None else shape.previous}

        def inside(address: int) -> int:
            offset = (address - base) % size
            if not base <= address < end or offset not in offsets:
                raise BadNode(f"0x{address:x} is not in an element of the frame table")
            return words[(address - shift) >> 2]

        return _Nodes(shape, inside, lambda node: frames.first_frame + (node - base) // size)


def _offset(type_: CType, path: str | None) -> tuple[int, CType]:
    """Return offset and type of a member such as ``list`` or ``u.free.list``."""
    offset = 0
    for name in (path or "").split("."):
        if name:
            member = type_.stripped.member(name)
            offset, type_ = offset + member.offset, member.type.stripped
    return offset, type_
