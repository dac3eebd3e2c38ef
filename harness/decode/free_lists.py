"""A frame allocator's free lists: one list for each zone and order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from harness.decode.address_space import NotReadable
from harness.decode.belief.fault import DecodeFault
from harness.decode.belief.frames import FreeList, FreeLists
from harness.decode.belief.paging import FRAME_SIZE
from harness.decode.block_nodes import BlockNodes
from harness.decode.context import MAX_FRAMES, Context, Undecodable
from harness.decode.expression import Evaluator, Scope, Value
from harness.decode.frame_table import Frames
from harness.decode.links import (
    POINTER,
    BadNode,
    Break,
    Links,
    ListShape,
    PointerReader,
    faults_of,
    follow,
)
from harness.image.c_type import CType, Kind
from harness.image.schema.frames import FreeLists as Description

MAX_ZONES = 64
MAX_ORDERS = 64
NO_FRAMES = np.empty(0, dtype=np.int64)
NO_FRAMES.flags.writeable = False


@dataclass(frozen=True)
class _Nodes:
    """How pointers become frames."""

    shape: ListShape
    links: Links
    frames: Callable[[list[int]], tuple[npt.NDArray[np.int64], list[Break]]]
    """Return the frames of the blocks whose nodes pointers lead to, and those that have none."""


def decode_free_lists(
    context: Context, description: Description, frames: Frames | None
) -> FreeLists:
    """Follow every list; raise :class:`Undecodable` when it is not said where they are."""
    zones = context.count(description.zones, "the number of zones", MAX_ZONES)
    orders = context.count(description.orders, "the number of orders", MAX_ORDERS)
    decoder = _Decoder(context, description, frames)
    decoder.decode(zones, orders)
    return FreeLists(
        name=description.name,
        lists=tuple(decoder.lists),
        free_frames=_per_zone(context.evaluate, description.frames, zones),
        managed_frames=_per_zone(context.evaluate, description.managed, zones),
        merged=description.merged,
        faults=tuple(decoder.faults),
        places=_places(context, description, zones),
    )


def _places(context: Context, description: Description, zones: int) -> dict[tuple[str, int], int]:
    found = {}
    for key in ("frames", "managed"):
        for zone in range(zones):
            at = context.place(getattr(description, key), Scope({"zone": zone}))
            if at is not None:
                found[key, zone] = at
    return found


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
        physical = description.links == "physical"
        self._block_nodes = BlockNodes(context, description) if physical else None
        self.lists: list[FreeList] = []
        self.faults: list[DecodeFault] = []

    def decode(self, zones: int, orders: int) -> None:
        """Follow the list of each zone and order."""
        breaks: list[list[Break]] = []
        for zone in range(zones):
            for order in range(orders):
                found, broken = self._decode(zone, order)
                self.lists.append(found)
                breaks.append(broken)
        if self._block_nodes is not None and self.lists:
            said = self._block_nodes.contradictions([(one.order, one.frames) for one in self.lists])
            breaks = [[*broken, *more] for broken, more in zip(breaks, said, strict=True)]
        for found, broken in zip(self.lists, breaks, strict=True):
            self.faults += self._faults(found, broken)

    def _decode(self, zone: int, order: int) -> tuple[FreeList, list[Break]]:
        """Follow one list."""
        description, evaluate = self._description, self._context.evaluate
        scope = Scope({"zone": zone, "order": order})
        count = None if description.blocks is None else evaluate.integer(description.blocks, scope)
        at = self._context.place(description.blocks, scope)
        frames = NO_FRAMES
        breaks: list[Break] = []
        try:
            head = evaluate.locate(description.head, scope)
            if self._block_nodes is None:
                frames, breaks = self._follow(head)
            else:
                first = evaluate.integer(description.head, scope)
                frames, breaks = self._block_nodes.follow(first)
        except (NotReadable, BadNode) as error:
            address = (error.address,) if isinstance(error, NotReadable) else ()
            breaks = [Break(str(error), address)]
        return FreeList(zone, order, frames, count, at), breaks

    def _faults(self, found: FreeList, breaks: list[Break]) -> list[DecodeFault]:
        if not breaks:
            return []
        zone = found.zone
        zones = self._context.kernel.description.zones
        zone_name = zones[zone].name if zone < len(zones) else zone
        name = f"{self._description.name}, zone {zone_name}, order {found.order}"
        physical = self._block_nodes is not None
        return list(faults_of(name, breaks, physical))

    def _follow(self, head: Value) -> tuple[npt.NDArray[np.int64], list[Break]]:
        if self._nodes is None:
            self._nodes = self._make_nodes(head)
        nodes, reader = self._nodes, self._reader
        if head.address is None:
            raise Undecodable(f"the head of a list is a {head.type} that is not in memory")
        if nodes.shape.style == "circular":
            end, first = head.address, reader.read(head.address + nodes.shape.next)
        else:
            end, first = 0, reader.read(head.address)
        limit = MAX_FRAMES if self._frames is None else len(self._frames.rows)
        chain = follow(nodes.shape, end, first, reader, nodes.links, limit)
        if not chain.nodes:
            return NO_FRAMES, [*chain.breaks]
        frames, breaks = nodes.frames(chain.nodes)
        return frames, [*chain.breaks, *breaks]

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
            return _Nodes(shape, self._reader, partial(self._blocks, start))
        links = TableLinks(self._frames, start)
        return _Nodes(shape, links, links.frames)

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

    def _blocks(self, start: int, nodes: list[int]) -> tuple[npt.NDArray[np.int64], list[Break]]:
        """Return the frames of free blocks, whose nodes lie ``start`` bytes into them."""
        virtual = np.array(nodes, dtype=np.uint64) - np.uint64(start)
        physical = self._context.space.translate_all(virtual)
        good = (physical >= 0) & (physical % FRAME_SIZE == 0)
        message = "no frame begins at what the list calls a free block"
        bad = [Break(message, (nodes[at],)) for at in np.flatnonzero(~good)]
        return physical[good] // FRAME_SIZE, bad


class TableLinks:
    """Links in the elements of the frame table.

    A node is where pointers point: ``start`` bytes into an element.
    """

    def __init__(self, frames: Frames, start: int) -> None:
        self._table, self._first_frame = frames.virtual, frames.first_frame
        self._size = frames.type.size
        self._base = frames.virtual + start
        self._end = self._base + self._size * len(frames.rows)
        self._bytes = frames.rows.view(np.uint8)
        whole = len(self._bytes) // POINTER * POINTER
        self._words = self._bytes[:whole].view("<u4").data

    def reader(self, offset: int) -> Callable[[int], int]:
        """Return what reads one pointer of a node, or raises :class:`BadNode`."""
        base, end, size, shift = self._base, self._end, self._size, offset - self._table
        if size % POINTER or (base + shift) % POINTER:  # a packed structure
            return partial(self._unaligned, offset)
        words = self._words

        def read(node: int) -> int:
            if not base <= node < end or (node - base) % size:
                raise BadNode(f"0x{node:x} is not in an element of the frame table")
            pointer: int = words[node + shift >> 2]
            return pointer

        return read

    def _unaligned(self, offset: int, node: int) -> int:
        if not self._base <= node < self._end or (node - self._base) % self._size:
            raise BadNode(f"0x{node:x} is not in an element of the frame table")
        return int(self.read_all([node], offset)[0])

    def read_all(self, nodes: list[int], offset: int) -> npt.NDArray[np.int64]:
        """Return the pointers of nodes that have been read before."""
        position = np.array(nodes, dtype=np.int64) + (offset - self._table)
        bytes_ = self._bytes[position[:, None] + np.arange(POINTER)]
        pointers: npt.NDArray[np.int64] = bytes_.view("<u4").reshape(-1).astype(np.int64)
        return pointers

    def frames(self, nodes: list[int]) -> tuple[npt.NDArray[np.int64], list[Break]]:
        """Return the frame that each node's element is about."""
        index = (np.array(nodes, dtype=np.int64) - self._base) // self._size
        return index + self._first_frame, []


def _offset(type_: CType, path: str | None) -> tuple[int, CType]:
    """Return offset and type of a member such as ``list`` or ``u.free.list``."""
    offset = 0
    for name in (path or "").split("."):
        if name:
            member = type_.stripped.member(name)
            offset, type_ = offset + member.offset, member.type.stripped
    return offset, type_
