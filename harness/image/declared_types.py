"""Structures that a description declares by hand, where there is no debug information."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from harness.image.c_type import VOID, CType, Kind
from harness.image.errors import UnknownName
from harness.image.integers import STANDARD, canonical
from harness.image.schema.types import DeclaredType

LARGEST = 1 << 20
"""Bytes of a structure, at most."""
_SPELLING = re.compile(r"\s*(\w[\w ]*?)\s*([*\s]*)((?:\[\s*\d+\s*\]\s*)*)")


class BadType(Exception):
    """A type of a member that cannot be."""


def declared_structures(declared: Sequence[DeclaredType]) -> dict[str, CType]:
    """Return the structures by name; a member's type is looked up when somebody asks for it."""
    found: dict[str, CType] = {}
    for one in declared:
        rows = ((name, m.offset, index) for index, (name, m) in enumerate(one.members.items()))
        found[one.name] = CType(
            Kind.STRUCT,
            one.name,
            one.size,
            member_rows=tuple((*row, None, None) for row in rows),
            resolve=_resolver([member.type for member in one.members.values()], found),
        )
    return found


def _resolver(types: Sequence[str], found: Mapping[str, CType]) -> Callable[[int], CType]:
    return lambda index: member_type(types[index], found)


def member_type(text: str, structures: Mapping[str, CType]) -> CType:
    """Return the type that C writes as ``text``: ``unsigned``, ``struct page *[4]``.

    Raise :class:`BadType` for what is no type, or has no size; ``UnknownName`` for one that is
    not known.
    """
    spelled = _SPELLING.fullmatch(text)
    if spelled is None:
        raise BadType(f"{text!r} is no C type such as 'uint8_t', 'struct page *' or 'char[16]'")
    type_ = VOID if spelled[1] == "void" else _named(spelled[1], structures)
    for _ in range(spelled[2].count("*")):
        type_ = type_.pointer
    for count in reversed(re.findall(r"\d+", spelled[3])):
        type_ = _array(type_, int(count))
    if not type_.size:
        raise BadType(f"a {type_} has no size")
    return type_


def _named(name: str, structures: Mapping[str, CType]) -> CType:
    known = {**STANDARD, **structures}
    found = known.get(canonical(name))
    if found is None:
        raise UnknownName("type", name, known)
    return found


def _array(of: CType, count: int) -> CType:
    return CType(Kind.ARRAY, "", count=count, target_index=0, resolve=lambda index: of)


def difference(declared: CType, own: CType) -> str | None:
    """Return on what a declared structure and the one in debug information do not agree."""
    if declared.size != own.size:
        return f"its size is {own.size}, not {declared.size}"
    for member in declared.members:
        try:
            found = own.member(member.name)
        except UnknownName as error:
            return str(error)
        if (found.offset, found.type.size) != (member.offset, member.type.size):
            return (
                f"{member.name} has {found.type.size} bytes at offset {found.offset}, "
                f"not {member.type.size} at {member.offset}"
            )
    return None
