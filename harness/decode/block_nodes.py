"""List nodes at the start of free blocks, linked by physical addresses.

A frame allocator that keeps no record of each frame has no other place for them, and no pointers
to them where memory goes on beyond what is mapped.
"""

from __future__ import annotations

from collections.abc import Callable

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

    def follow(self, first: int, order: int) -> tuple[npt.NDArray[np.int64], list[Break]]:
        """Follow the list of one order from the ``first`` block; return its blocks' frames."""
        shape = ListShape("null", self._type.member(self._description.next).offset, None)
        chain = follow(shape, 0, first, self, self, self._limit)
        nodes = np.array(chain.nodes, dtype=np.int64)
        return nodes // FRAME_SIZE, [*chain.breaks, *self._contradictions(nodes, order)]

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


def _check_back(
    nodes: npt.NDArray[np.int64], found: npt.NDArray[np.int64], offset: int
) -> list[Break]:
    """Compare each back link with the node that led there; say where the first one differs."""
    expected = np.concatenate(([0], nodes[:-1]))
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
