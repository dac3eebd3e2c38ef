"""What C expressions deal in: numbers, objects in memory, and columns of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from harness.decode.address_space import AddressSpace
from harness.decode.c_arithmetic import INT, LONG_LONG, UNSIGNED, Number
from harness.image.c_type import CType, Kind, Member

AGGREGATES = (Kind.STRUCT, Kind.UNION, Kind.ARRAY)
"""Kinds of types whose objects are no numbers."""


class Value(NamedTuple):
    """A value or, with an ``address``, an object in guest memory that has not been loaded yet."""

    type: CType
    number: Number = None
    address: int | None = None
    """Virtual."""


class Moment(NamedTuple):
    """Where an expression is evaluated."""

    space: AddressSpace
    running: Mapping[str, int]
    """Variables of whoever evaluates, such as ``zone``."""
    structure: Any
    """Virtual address of the structure whose members are identifiers, or an array of many."""


Get = Callable[[Moment], Any]
"""Gives a number or a virtual address, or a column of numbers."""


class Fixed:
    """A :data:`Get` whose result is known before there is a guest."""

    __slots__ = ("value",)

    def __init__(self, value: int) -> None:
        self.value = value

    def __call__(self, moment: Moment) -> int:
        return self.value


@dataclass(frozen=True)
class Part:
    """Part of an expression, made ready: its type, and what gives its number or place."""

    type: CType
    number: Get | None = None
    """None for an object in memory, which is to be loaded, and for aggregates."""
    address: Get | None = None
    rows: Get | None = None
    """A field of each of an array of structures."""
    column: bool = False
    """Whether the number is one for each row."""

    @property
    def get(self) -> Get:
        """What gives the number of a part that has one."""
        assert self.number is not None
        return self.number


def constant(number: int, unsigned: bool = False) -> Part:
    """Give a constant the first type that holds it (C11 6.4.4.1), as if it were in hex."""
    if -(1 << 31) <= number < 1 << 31 and not unsigned:
        return Part(INT, Fixed(number))
    if 0 <= number < 1 << 32:
        return Part(UNSIGNED, Fixed(number))
    return Part(LONG_LONG, Fixed(number))


def at_offset(base: Get, offset: int) -> Get:
    """Return the address ``offset`` bytes from another, as a 32-bit processor adds."""
    if isinstance(base, Fixed):
        return Fixed(base.value + offset & 0xFFFFFFFF)
    return lambda moment: base(moment) + offset & 0xFFFFFFFF


def loaded(address: Get, size: int, signed: bool) -> Get:
    """Return what reads an integer of ``size`` bytes from guest memory."""
    sign = 1 << 8 * size - 1
    if signed:
        return lambda moment: (moment.space.number(address(moment), size) ^ sign) - sign
    if isinstance(address, Fixed):
        place = address.value
        return lambda moment: moment.space.number(place, size)
    return lambda moment: moment.space.number(address(moment), size)


def bit_field(structure: Get, member: Member) -> Get:
    """Return what reads a bit-field of a structure in guest memory."""
    assert member.bit_size is not None
    offset, size = member.storage
    shift, mask = member.shift, (1 << member.bit_size) - 1
    sign = 1 << member.bit_size - 1 if member.type.signed else 0

    def read(moment: Moment) -> int:
        storage = moment.space.number(structure(moment) + offset, size)
        return ((storage >> shift & mask) ^ sign) - sign

    return read
