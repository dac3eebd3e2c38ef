"""Linked lists in guest memory: nodes followed by their pointers, whatever these are.

A list may be circular with a head that is no element, or end with NULL. A guest is hostile: a
list ends in a :class:`Break` where it leads to no node, back into itself, or where a back pointer
does not agree; there are never more nodes than the caller allows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from operator import ne
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from harness.decode.address_space import AddressSpace, NotReadable
from harness.decode.belief.fault import DecodeFault

Style = Literal["circular", "null"]

CHUNK = 64 << 10
PAGE = 4096
POINTER = 4
FEW = 16
"""Nodes that are read faster one by one than together."""


@dataclass(frozen=True)
class Break:
    """Where a list cannot be followed, or contradicts itself."""

    message: str
    chain: tuple[int, ...]
    """Virtual addresses of the last links; the last one is the culprit."""
    at: int | None = None
    """Address of the pointer that is wrong, where that is known."""


def faults_of(
    structure: str, breaks: Iterable[Break], physical: bool = False
) -> tuple[DecodeFault, ...]:
    """Return each break as a fault of ``structure``; ``physical`` says what its addresses are."""
    return tuple(DecodeFault(structure, b.message, b.chain, physical, b.at) for b in breaks)


@dataclass(frozen=True)
class Chain:
    """Virtual addresses that a list's pointers lead to, in order, without its head."""

    nodes: list[int]
    breaks: tuple[Break, ...] = ()


@dataclass(frozen=True)
class ListShape:
    """How the pointers of a list lie: offsets from where pointers point, in bytes."""

    style: Style
    next: int
    previous: int | None


class BadNode(Exception):
    """A pointer that leads to no node."""


class Links(Protocol):
    """Reads pointers in nodes; raises ``NotReadable`` or :class:`BadNode` where there is none."""

    def reader(self, offset: int) -> Callable[[int], int]:
        """Return what reads the pointer ``offset`` bytes from a node's virtual address."""
        ...

    def read_all(self, nodes: list[int], offset: int) -> npt.NDArray[np.int64]:
        """Return the pointers of many nodes."""
        ...


def follow(
    shape: ListShape, head: int, first: int, outside: Links, inside: Links, limit: int
) -> Chain:
    """Follow a list of at most ``limit`` nodes.

    ``head`` is the address of the circular list's head, where it ends (0 for a list that ends
    with NULL), ``first`` the pointer in it. ``inside`` reads pointers in nodes and raises
    when one is no node; ``outside`` reads the head.
    """
    nodes, culprit, reason = _run(head, first, inside.reader(shape.next), limit)
    breaks = []
    if reason is not None:
        different = list(dict.fromkeys(nodes))
        if len(different) < len(nodes):
            culprit, nodes, reason = nodes[len(different)], different, _CYCLE
        wrong = nodes[-1] + shape.next if nodes else None
        breaks = [Break(f"the list {reason}", (*(nodes[-3:] or [head]), culprit), wrong)]
    if shape.previous is not None:
        breaks += _check_back(shape, head, nodes, outside, inside, whole=not breaks)
    return Chain(nodes, tuple(breaks))


_CYCLE = "leads back into itself"


def _run(
    head: int, node: int, read: Callable[[int], int], limit: int
) -> tuple[list[int], int, str | None]:
    """Return nodes up to ``head``, or what ended them before and why.

    A cycle is found by Brent's method, in which one node that came by is remembered, at each
    power of two another one: half a million nodes need no half a million look-ups.
    The nodes of a cycle may come out several times.
    """
    nodes: list[int] = []
    remembered, mark = None, 1
    try:
        while node != head:
            if node == remembered:
                return nodes, node, _CYCLE
            following = read(node)
            nodes.append(node)
            if len(nodes) == mark:
                if mark > limit:
                    return nodes[:limit], node, f"has more than {limit} nodes"
                remembered, mark = node, min(mark * 2, limit + 1)
            node = following
    except (BadNode, NotReadable) as error:
        return nodes, node, f"leads to no node: {error}"
    return nodes, node, None


def _check_back(
    shape: ListShape,
    head: int,
    nodes: list[int],
    outside: Links,
    inside: Links,
    whole: bool,
) -> list[Break]:
    """Compare each back pointer with the node that led there; say where the first one differs."""
    assert shape.previous is not None
    expected = [head, *nodes]
    try:
        if len(nodes) <= FEW:
            read = inside.reader(shape.previous)
            found = [read(node) for node in nodes]
        else:
            found = inside.read_all(nodes, shape.previous).tolist()
        if found != expected[:-1]:
            at = next(i for i, pair in enumerate(zip(found, expected, strict=False)) if ne(*pair))
            return [back_break(expected[at], nodes[at], found[at], shape.previous)]
        if whole and shape.style == "circular":
            last = outside.reader(shape.previous)(head)
            if last != expected[-1]:
                return [back_break(expected[-1], head, last, shape.previous)]
    except (BadNode, NotReadable) as error:
        return [Break(f"a back pointer cannot be read: {error}", (head,))]
    return []


def back_break(before: int, node: int, found: int, offset: int) -> Break:
    """Return what is wrong with a back pointer that is not the address of the node before.

    ``offset`` is where in a node the back pointer is, in bytes.
    """
    message = f"the back pointer says 0x{found:x} where it must be 0x{before:x}"
    return Break(message, (before, node), node + offset)


class PointerReader:
    """Reads pointers anywhere in virtual memory, keeping hold of the memory around them.

    Memory is looked at in aligned chunks of 64 KiB: the nodes of a list lie close to each other.
    """

    def __init__(self, space: AddressSpace) -> None:
        self._space = space
        self._chunks: dict[int, tuple[int, int, memoryview]] = {}

    def reader(self, offset: int) -> Callable[[int], int]:
        """Return what reads the pointer ``offset`` bytes from a node's virtual address."""
        return lambda node: self.read(node + offset)

    def read(self, virtual: int) -> int:
        """Return the 4 byte pointer; raise :class:`BadNode` or ``NotReadable``."""
        chunk = self._chunks.get(virtual // CHUNK)
        if chunk is None or not chunk[0] <= virtual < chunk[1]:
            if virtual % POINTER or not 0 <= virtual < 1 << 32:
                raise BadNode(f"0x{virtual:x} is no multiple of {POINTER}")
            chunk = self._look(virtual)
            self._chunks[virtual // CHUNK] = chunk
        position = virtual - chunk[0]
        if position % POINTER:
            raise BadNode(f"0x{virtual:x} is no multiple of {POINTER}")
        pointer: int = chunk[2][position // POINTER]
        return pointer

    def read_all(self, nodes: list[int], offset: int) -> npt.NDArray[np.int64]:
        """Return the pointers of many nodes."""
        return np.array([self.read(node + offset) for node in nodes], dtype=np.int64)

    def _look(self, virtual: int) -> tuple[int, int, memoryview]:
        """Return start, end and words of a part of the chunk that is contiguous in RAM."""
        page = virtual & ~(PAGE - 1)
        size = min(self._space.stretch(page)[1], CHUNK - page % CHUNK)
        try:
            words = self._space.array(page, "<u4", size // POINTER)
        except NotReadable:  # What is mapped may go on where RAM ends.
            size = PAGE
            words = self._space.array(page, "<u4", size // POINTER)
        return page, page + size, words.data
