"""C types as values: what sizeof, offsetof and a debugger's ``ptype`` would say.

Sizes and offsets are in bytes of the target (i386: ``int``, ``long`` and pointers are 4 bytes).
``const`` and ``volatile`` change no layout and are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import cached_property

from harness.image.errors import UnknownName


class Kind(Enum):
    """What a type is."""

    VOID = "void"
    BASE = "base"
    ENUM = "enum"
    POINTER = "pointer"
    ARRAY = "array"
    STRUCT = "struct"
    UNION = "union"
    TYPEDEF = "typedef"
    FUNCTION = "function"
    DECLARED = "declared"
    """A struct, union or enum of which only the name is known."""


class Encoding(Enum):
    """How the bits of a base or enum type are read."""

    UNSIGNED = "unsigned"
    SIGNED = "signed"
    BOOLEAN = "boolean"
    FLOAT = "float"


Resolver = Callable[[int], "CType"]


@dataclass(frozen=True, eq=False)
class CType:
    """One type of one kernel; equal only to itself."""

    kind: Kind
    name: str
    """As C writes it (``struct page``, ``unsigned int``, ``pfn_t``); "" when it has none."""
    own_size: int = 0
    encoding: Encoding = Encoding.UNSIGNED
    count: int | None = None
    """Elements of an array; None for a flexible one."""
    target_index: int | None = field(default=None, repr=False)
    member_rows: tuple[tuple[str, int, int | None, int | None, int | None], ...] = field(
        default=(), repr=False
    )
    resolve: Resolver | None = field(default=None, repr=False)

    @cached_property
    def target(self) -> CType:
        """What a pointer points to, an array consists of, a typedef stands for."""
        return self._resolved(self.target_index)

    def _resolved(self, index: int | None) -> CType:
        return VOID if index is None or self.resolve is None else self.resolve(index)

    @cached_property
    def pointer(self) -> CType:
        """The type of a pointer to this one."""
        return CType(Kind.POINTER, "", own_size=4, target_index=0, resolve=lambda index: self)

    @cached_property
    def stripped(self) -> CType:
        """The type behind all typedefs."""
        return self.target.stripped if self.kind is Kind.TYPEDEF else self

    @cached_property
    def size(self) -> int:
        """``sizeof``, in bytes; a flexible array counts 0."""
        if self.kind is Kind.ARRAY:
            return (self.count or 0) * self.target.size
        if self.kind is Kind.TYPEDEF:
            return self.target.size
        return self.own_size

    @property
    def signed(self) -> bool:
        """Whether an integer of this type is signed."""
        return self.stripped.encoding is Encoding.SIGNED

    @cached_property
    def members(self) -> tuple[Member, ...]:
        """Members of a struct or union as declared; anonymous ones have the name ""."""
        return tuple(
            Member(name, offset, self.stripped._resolved(index), position, bits, room=self.size)
            for name, offset, index, position, bits in self.stripped.member_rows
        )

    def fields(self) -> Iterator[Member]:
        """Yield the members as C reaches them: those of anonymous members as one's own."""
        return iter(self._fields)

    @cached_property
    def _fields(self) -> tuple[Member, ...]:
        return tuple(self._reached())

    def _reached(self) -> Iterator[Member]:
        union = self.stripped.kind is Kind.UNION
        for member in self.members:
            if member.name:
                yield member.shifted(0, union)
            elif member.type.stripped.kind in (Kind.STRUCT, Kind.UNION):
                for inner in member.type.fields():
                    yield inner.shifted(member.offset, union or inner.overlaps)

    def member(self, name: str) -> Member:
        """Return the member ``name``, also out of anonymous members; raise ``UnknownName``."""
        try:
            return self._fields_by_name[name]
        except KeyError:
            raise UnknownName(f"member of {self}", name, self._fields_by_name) from None

    @cached_property
    def _fields_by_name(self) -> dict[str, Member]:
        return {member.name: member for member in self._fields}

    def __str__(self) -> str:
        if self.kind is Kind.POINTER:
            return f"{self.target} *"
        if self.kind is Kind.ARRAY:
            return f"{self.target}[{'' if self.count is None else self.count}]"
        return self.name or f"{self.kind.value} {{…}}"


VOID = CType(Kind.VOID, "void")


@dataclass(frozen=True)
class Member:
    """A member of a struct or union."""

    name: str
    offset: int
    """From the start of the struct, in bytes; of a bit-field: of its storage."""
    type: CType
    bit_position: int | None = None
    """Of a bit-field: its lowest bit, counted from the lowest bit of the struct's first byte."""
    bit_size: int | None = None
    overlaps: bool = False
    """Whether it shares its bytes with others, being in a union."""
    room: int = 0
    """Bytes of the struct: no storage reaches beyond."""

    @cached_property
    def storage(self) -> tuple[int, int]:
        """Offset and size, in bytes, of what must be read to get at the value.

        Of a bit-field this is the unit of its declared type, as the compiler would load it,
        unless the bits straddle two such units, or the unit reaches beyond the struct (packed
        structs): then the bytes that hold them.
        """
        if self.bit_position is None or self.bit_size is None:
            return self.offset, self.type.size
        unit = self.type.size * 8
        start = self.bit_position // unit * unit
        if self.bit_position + self.bit_size <= start + unit <= self.room * 8:
            return start // 8, unit // 8
        start = self.bit_position // 8
        return start, (self.bit_position + self.bit_size + 7) // 8 - start

    @property
    def shift(self) -> int:
        """Of a bit-field: its lowest bit within :attr:`storage`; else 0."""
        return 0 if self.bit_position is None else self.bit_position - self.storage[0] * 8

    def shifted(self, offset: int, overlaps: bool) -> Member:
        """Return the same member ``offset`` bytes further, as of an enclosing struct."""
        position = None if self.bit_position is None else self.bit_position + offset * 8
        return replace(
            self,
            offset=self.offset + offset,
            bit_position=position,
            overlaps=overlaps,
            room=self.room + offset,
        )
