"""Values of C expressions: numbers, objects in memory, and columns of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy.typing as npt

from harness.decode import c_arithmetic as arithmetic
from harness.decode.address_space import AddressSpace
from harness.decode.c_arithmetic import INT, UNSIGNED, Number
from harness.image.c_type import CType, Kind, Member
from harness.image.layouts import bits

AGGREGATES = (Kind.STRUCT, Kind.UNION, Kind.ARRAY)
"""Kinds of types whose objects are no numbers."""


class Value(NamedTuple):
    """A value or, with an ``address``, an object in guest memory that has not been loaded yet."""

    type: CType
    number: Number = None
    address: int | None = None
    """Virtual."""
    rows: npt.NDArray[Any] | None = None
    """An aggregate of each element of an array of structures."""


class Moment(NamedTuple):
    """Where an expression is evaluated."""

    space: AddressSpace
    running: Mapping[str, int]
    """Variables of whoever evaluates, such as ``zone``."""
    structure: Value | None
    """Its members are identifiers."""


def constant(number: int, unsigned: bool = False) -> Value:
    """Give a constant the first type that holds it (C11 6.4.4.1), as if it were in hex."""
    if -(1 << 31) <= number < 1 << 31 and not unsigned:
        return Value(INT, number)
    if 0 <= number < 1 << 32:
        return Value(UNSIGNED, number)
    return Value(arithmetic.LONG_LONG, number)


def column_of(rows: npt.NDArray[Any], member: Member) -> Value:
    """Return a member of each of an array of structures, given as that field of the array."""
    if member.bit_size is not None:
        return Value(INT if member.bit_size < 32 else member.type, bits(rows, member))
    if member.type.stripped.kind in AGGREGATES:
        return Value(member.type, rows=rows)
    return Value(member.type, rows)


def _negated(operand: Value) -> Value:
    return Value(INT, arithmetic.binary("==", operand.number, 0, operand.type))


def _minus(operand: Value) -> Value:
    type_ = arithmetic.promoted(operand.type)
    return Value(type_, arithmetic.binary("-", 0, operand.number, type_))


def _complement(operand: Value) -> Value:
    type_ = arithmetic.promoted(operand.type)
    return Value(type_, arithmetic.binary("-", -1, operand.number, type_))


def _plus(operand: Value) -> Value:
    return Value(arithmetic.promoted(operand.type), operand.number)


UNARY: dict[str, Callable[[Value], Value]] = {
    "!": _negated,
    "-": _minus,
    "~": _complement,
    "+": _plus,
}
"""Operators with one operand; ``&``, ``*`` and ``sizeof`` are about objects."""
