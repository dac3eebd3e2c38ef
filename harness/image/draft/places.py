"""Every object in a kernel's static data that has a name: its C expression and its type."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from harness.image.c_type import CType, Kind
from harness.image.errors import UnknownName
from harness.image.kernel_image import KernelImage

DEPTH = 3
"""Structures within structures that are looked into."""
LONGEST = 64
"""Elements of an array of structures of which each is looked into: zones, not frames."""
MOST = 20_000
"""Objects that are looked at: debug information may describe any number."""


@dataclass(frozen=True)
class Place:
    """An object, or one in each element of an array."""

    expression: str
    """C, over ``zone`` when it is in each of :attr:`zones` elements."""
    type: CType
    address: int
    """Virtual; of the one in the first element."""
    scope: str
    """What its neighbours' expressions begin with; "" for a variable."""
    zones: int | None = None

    @property
    def name(self) -> str:
        """The last name in the expression."""
        return self.expression.removesuffix("[zone]").rpartition(".")[2]

    @property
    def words(self) -> frozenset[str]:
        """The words that all its names are made of, in lower case and without a plural's s."""
        return words_of(self.expression.replace("[zone]", ""))


def words_of(name: str) -> frozenset[str]:
    """Return the words of names such as ``freePageCount``, ``nr_free_pages`` or ``nframes``."""
    parts = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+", name)
    words = [p if p.endswith("ss") else p.removesuffix("s") for p in map(str.lower, parts)]
    return frozenset(one for word in words for one in _COUNTED.get(word, (word,)))


_COUNTED = {f"n{unit}": ("n", unit) for unit in ("frame", "page", "block", "bit")}
"""Numbers that are written in one word with what they count."""


def places(kernel: KernelImage) -> tuple[Place, ...]:
    """Return the objects of all variables at file scope, in the order of their names."""
    found: list[Place] = []
    for name in sorted(kernel.types.variables):
        try:
            address, type_ = kernel.types.variable(name)
        except UnknownName:
            continue  # only declared
        found += _within(Place(name, type_, address, ""), DEPTH)
        if len(found) > MOST:
            break
    return tuple(found[:MOST])


def _within(place: Place, depth: int) -> Iterator[Place]:
    """Yield a place and those in it."""
    yield place
    plain = place.type.stripped
    if plain.kind is Kind.ARRAY and place.zones is None and 0 < (plain.count or 0) <= LONGEST:
        element = plain.target.stripped
        if element.kind in (Kind.STRUCT, Kind.UNION):
            path = f"{place.expression}[zone]"
            yield from _members(path, element, place.address, plain.count, depth)
    elif plain.kind in (Kind.STRUCT, Kind.UNION):
        yield from _members(place.expression, plain, place.address, place.zones, depth)


def _members(
    path: str, structure: CType, address: int, zones: int | None, depth: int
) -> Iterator[Place]:
    if not depth:
        return
    for member in structure.fields():
        if member.bit_size is None:
            inner = Place(
                f"{path}.{member.name}", member.type, address + member.offset, path, zones
            )
            yield from _within(inner, depth - 1)
