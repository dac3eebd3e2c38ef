"""Structures of one type all over virtual memory, and the circular lists that lead to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.decode.address_space import NotReadable
from harness.decode.context import Context, Undecodable
from harness.decode.links import BadNode, Chain, ListShape, PointerReader, follow
from harness.image.c_type import CType


@dataclass(frozen=True)
class Records:
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


def read_all(context: Context, type_: CType, addresses: list[int]) -> Records:
    """Copy structures from virtual addresses; those that cannot be read are told apart."""
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
    return Records(type_, found, rows, lost)


def follow_circular(
    context: Context, head: int, link: CType, next_: str, previous: str | None, limit: int
) -> Chain:
    """Return the addresses of the links of a circular list, in list order.

    ``head`` is the virtual address of its head, ``link`` the C type of a link, of which ``next_``
    and ``previous`` are members. Raise :class:`Undecodable` when not even the head can be read.
    """
    members = link.stripped
    shape = ListShape(
        "circular",
        members.member(next_).offset,
        None if previous is None else members.member(previous).offset,
    )
    links = PointerReader(context.space)
    try:
        return follow(shape, head, links.read(head + shape.next), links, links, limit)
    except BadNode as error:
        raise Undecodable(str(error), head) from None
