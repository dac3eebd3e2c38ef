"""Circular lists of records of one C type, the link a member of each record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.decode.address_space import NotReadable
from harness.decode.context import Context, Undecodable
from harness.decode.links import BadNode, Break, ListShape, PointerReader, follow
from harness.image.c_type import CType


@dataclass(frozen=True)
class RecordType:
    """How the records of a list are linked: C type, and names of members."""

    name: str
    link: str
    next: str
    previous: str | None


@dataclass(frozen=True)
class RecordList:
    """The records of one list, in its order."""

    type: CType
    addresses: list[int]
    """Virtual."""
    rows: npt.NDArray[Any]
    """One for each of ``addresses``."""
    breaks: tuple[Break, ...]

    def column(self, context: Context, expression: str | None) -> list[int | None]:
        """Evaluate an expression over each record; None where there is no expression."""
        if expression is None:
            return [None] * len(self.rows)
        return [*self.numbers(context, expression)]

    def numbers(self, context: Context, expression: str) -> list[int]:
        """Evaluate an expression over each record."""
        numbers: list[int] = context.evaluate.column(expression, self.rows, self.type).tolist()
        return numbers


def read_records(context: Context, head: int, of: RecordType, limit: int) -> RecordList:
    """Follow a circular list from its ``head`` (virtual) and copy at most ``limit`` records.

    Where the list breaks, what came before it counts. Raise :class:`Undecodable` or ``NotReadable``
    when not even the head can be read.
    """
    type_ = context.kernel.types.lookup(of.name)
    link = type_.stripped.member(of.link)
    members = link.type.stripped
    previous = None if of.previous is None else members.member(of.previous).offset
    shape = ListShape("circular", members.member(of.next).offset, previous)
    links = PointerReader(context.space)
    try:
        chain = follow(shape, head, links.read(head + shape.next), links, links, limit)
    except BadNode as error:
        raise Undecodable(str(error), head) from None
    return _copy(context, type_, [node - link.offset for node in chain.nodes], chain.breaks)


def _copy(
    context: Context, type_: CType, addresses: list[int], breaks: tuple[Break, ...]
) -> RecordList:
    found: list[int] = []
    copies: list[bytes] = []
    for address in addresses:
        try:
            copies.append(context.space.read(address, type_.size))
            found.append(address)
        except NotReadable as error:
            breaks = (*breaks, Break(f"the record cannot be read: {error}", (address,)))
    dtype = context.kernel.types.dtype(type_)
    rows = np.frombuffer(b"".join(copies), dtype) if copies else np.empty(0, dtype)
    return RecordList(type_, found, rows, breaks)
