"""One node for each type, though every file of a kernel repeats the types of its headers.

A node is a list ``[kind, name, size, encoding, count, target, members]``, a member a list ``[name,
offset, type, bit position, bit size]``; ``target`` and ``type`` are indices of nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

Node = list[Any]
Renumber = Callable[[int | None], int | None]


def merge(nodes: list[Node], names: Mapping[str, int]) -> tuple[list[Node], Renumber]:
    """Return the nodes without repetitions, and what takes an old index to the new one.

    A mere declaration becomes the type that ``names`` gives for its name.
    """
    stands_for = [names.get(n[1], i) if n[0] == "declared" else i for i, n in enumerate(nodes)]
    class_of = _classes(nodes, stands_for)
    first: dict[int, int] = {}
    for index, number in enumerate(class_of):
        first.setdefault(number, stands_for[index])
    new_index = {number: new for new, number in enumerate(first)}

    def renumber(index: int | None) -> int | None:
        return None if index is None else new_index[class_of[index]]

    return [_renumbered(nodes[old], renumber) for old in first.values()], renumber


def _classes(nodes: list[Node], stands_for: list[int]) -> list[int]:
    """Number the nodes so that two have one number when nothing they lead to differs.

    Partition refinement: start from what a node says itself and split by what it refers to,
    until nothing splits any more.
    """
    classes = [0] * len(nodes)
    count = 0
    while True:
        numbers: dict[Any, int] = {}
        refined = []
        for index in range(len(nodes)):
            node = nodes[stands_for[index]]
            seen = (*node[:5], *(_class(r, classes) for r in _references(node)), *_shape(node))
            refined.append(numbers.setdefault(seen, len(numbers)))
        classes = refined
        if len(numbers) == count:
            return classes
        count = len(numbers)


def _class(index: int | None, classes: list[int]) -> int:
    return -1 if index is None else classes[index]


def _references(node: Node) -> Iterator[int | None]:
    yield node[5]
    for row in node[6]:
        yield row[2]


def _shape(node: Node) -> Iterator[tuple[Any, ...]]:
    for name, offset, _, position, bits in node[6]:
        yield name, offset, position, bits


def _renumbered(node: Node, renumber: Renumber) -> Node:
    members = [[name, offset, renumber(index), *bits] for name, offset, index, *bits in node[6]]
    return [*node[:5], renumber(node[5]), members]
