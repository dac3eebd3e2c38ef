"""List nodes at the start of free blocks, linked by physical addresses.

A frame allocator that keeps no record of each frame has no other place for them, and no pointers
to them where memory goes on beyond what is mapped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from harness.decode.belief.paging import FRAME_SIZE
from harness.decode.context import Context, Undecodable
from harness.decode.gather import gather
from harness.decode.links import CHUNK, POINTER, BadNode, Break, ListShape, back_break, follow
from harness.decode.members import member_offset
from harness.image.schema.frames import FreeLists as Description

LARGEST_LOOK = 16 << 20
"""Bytes of RAM looked at as one while following. It begins with :data:`CHUNK` and grows with the
number of looks: lists with few nodes do not make a slow source read more than is near them."""
LOOKS = 64
"""Looks before it grows."""
REPORTED = 25
"""Nodes of one list that are spelled out when they contradict it."""


class BlockNodes:
    """The nodes of one allocator's lists; a node's address is its block's, in physical bytes."""

    def __init__(self, context: Context, description: Description) -> None:
        """Raise ``UnknownName`` or :class:`Undecodable` when the type is no node's."""
        assert description.node is not None
        self._context, self._description = context, description
        self._type = context.kernel.types.lookup(description.node).stripped
        if not 0 < self._type.size <= FRAME_SIZE:
            raise Undecodable(f"a node of {self._type.size} bytes does not fit into a block")
        self._dtype = context.kernel.types.dtype(self._type)
        self._ranges = context.ram.ranges
        self._limit = sum(map(len, self._ranges)) // FRAME_SIZE
        self._chunks: dict[int, tuple[int, memoryview]] = {}
        """Start and words of RAM that holds a whole aligned chunk."""
        self._looks = 0
        self._shape = ListShape("null", self._type.member(description.next).offset, None)

    def follow(self, first: int) -> tuple[npt.NDArray[np.int64], list[Break]]:
        """Follow a list from the ``first`` block; return its blocks' frames."""
        chain = follow(self._shape, 0, first, self, self, self._limit)
        return np.array(chain.nodes, dtype=np.int64) // FRAME_SIZE, list(chain.breaks)

    def contradictions(
        self, lists: Sequence[tuple[int, npt.NDArray[np.int64]]]
    ) -> Iterator[list[Break]]:
        """Yield, for the order and the frames of each list, what its nodes say that is not so.

        All lists are looked at together first, since mostly there is nothing.
        """
        nodes = [frames * FRAME_SIZE for _, frames in lists]
        before = [shifted(one) for one in nodes]
        orders = np.repeat([order for order, _ in lists], [len(one) for one in nodes])
        if self._agree(np.concatenate(nodes), np.concatenate(before), orders):
            yield from ([] for _ in lists)
            return
        for (order, _), one in zip(lists, nodes, strict=True):
            yield self._contradictions(one, order)

    def _agree(
        self,
        nodes: npt.NDArray[np.int64],
        before: npt.NDArray[np.int64],
        orders: npt.NDArray[np.int64],
    ) -> bool:
        """Tell whether all nodes say what they must of themselves and the node before."""
        description, column = self._description, self._context.evaluate.column
        bytes_ = self._gather(nodes)
        rows = bytes_.view(self._dtype).reshape(-1)
        if description.previous is not None:
            offset = self._type.member(description.previous).offset
            if not np.array_equal(_words(bytes_, offset), before):
                return False
        if description.magic is not None and not column(description.magic, rows, self._type).all():
            return False
        if description.order is None:
            return True
        return np.array_equal(column(description.order, rows, self._type), orders)

    def reader(self, offset: int) -> Callable[[int], int]:
        """Return what reads the link ``offset`` bytes from a node's physical address."""
        chunks, look = self._chunks, self._look

        def read(node: int) -> int:
            try:
                start, words = chunks[node // CHUNK]
            except KeyError:
                start, words = look(node)
            if node % FRAME_SIZE:
                raise BadNode(f"no frame begins at physical 0x{node:x}")
            link: int = words[(node - start + offset) // POINTER]
            return link

        return read

    def read_all(self, nodes: list[int], offset: int) -> npt.NDArray[np.int64]:
        """Return the links of nodes that have been read before."""
        return _words(self._gather(np.array(nodes, dtype=np.int64)), offset)

    def _look(self, node: int) -> tuple[int, memoryview]:
        """Return start and words of the RAM around a node, which has a whole frame there."""
        size = min(CHUNK << (self._looks // LOOKS).bit_length(), LARGEST_LOOK)
        for ram in self._ranges:
            start = max(ram.start, node - node % size)
            end = min(ram.stop, node - node % size + size)
            if start <= node and node - node % FRAME_SIZE + FRAME_SIZE <= end:
                self._looks += 1
                words = self._context.ram.array(start, "<u4", (end - start) // POINTER).data
                whole = range(-(-start // CHUNK), end // CHUNK)
                self._chunks |= dict.fromkeys(whole, (start, words))
                return start, words
        raise BadNode(f"there is no RAM at physical 0x{node:x}")

    def _gather(self, nodes: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        """Return a row of bytes for each node, in order."""
        return gather(self._context.ram, nodes, self._dtype.itemsize)

    def _contradictions(self, nodes: npt.NDArray[np.int64], order: int) -> list[Break]:
        """Return what nodes say that is not so, as far as they are on this list at all."""
        description, evaluate = self._description, self._context.evaluate
        if not len(nodes):
            return []
        bytes_, breaks = self._gather(nodes), []
        rows = bytes_.view(self._dtype).reshape(-1)
        if description.previous is not None:
            offset = self._type.member(description.previous).offset
            breaks += _check_back(nodes, _words(bytes_, offset), offset)
        if description.magic is not None:
            good = evaluate.column(description.magic, rows, self._type) != 0
            what = "is not marked as a free block's: its magic is wrong"
            breaks += _report(nodes, ~good, what, member_offset(self._type, description.magic))
        if description.order is not None:
            wrong = evaluate.column(description.order, rows, self._type) != order
            what = f"does not note order {order}, that of its list"
            breaks += _report(nodes, wrong, what, member_offset(self._type, description.order))
        return breaks


def _words(rows: npt.NDArray[np.uint8], offset: int) -> npt.NDArray[np.int64]:
    """Return the word at ``offset`` of each row of bytes."""
    words: npt.NDArray[np.int64] = np.ascontiguousarray(rows[:, offset : offset + POINTER])
    return words.view("<u4").reshape(-1).astype(np.int64)


def shifted(nodes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the node before each one of a list; 0 before the first."""
    before = np.empty_like(nodes)
    before[:1], before[1:] = 0, nodes[:-1]
    return before


def _check_back(
    nodes: npt.NDArray[np.int64], found: npt.NDArray[np.int64], offset: int
) -> list[Break]:
    """Compare each back link with the node that led there; say where the first one differs."""
    expected = shifted(nodes)
    wrong = np.flatnonzero(found != expected)[:1].tolist()
    return [back_break(int(expected[at]), int(nodes[at]), int(found[at]), offset) for at in wrong]


def _report(
    nodes: npt.NDArray[np.int64], wrong: npt.NDArray[np.bool_], what: str, offset: int | None
) -> list[Break]:
    culprits = nodes[wrong][:REPORTED].tolist()
    return [
        Break(f"the node at physical 0x{node:x} {what}", (node,), node + (offset or 0))
        for node in culprits
    ]
