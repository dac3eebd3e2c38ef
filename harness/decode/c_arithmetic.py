"""C's integer arithmetic on i386, on single integers and on numpy arrays alike.

``char``, ``short`` and bit-fields are promoted to ``int``; of two types the wider wins, and of
two as wide the unsigned one (C11 6.3.1). Results wrap around at their type's width, signed ones
as well. Arrays are calculated in 64-bit signed elements, so an ``unsigned long long`` of 2^63 or
more is not told from a negative number there.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np

from harness.image.c_type import CType, Encoding, Kind

INT = CType(Kind.BASE, "int", 4, Encoding.SIGNED)
UNSIGNED = CType(Kind.BASE, "unsigned int", 4, Encoding.UNSIGNED)
LONG_LONG = CType(Kind.BASE, "long long", 8, Encoding.SIGNED)
UNSIGNED_LONG_LONG = CType(Kind.BASE, "unsigned long long", 8, Encoding.UNSIGNED)

Number = Any
"""A Python integer, or an array of integers of any numpy integer dtype."""

_BITWISE: dict[str, Callable[[Any, Any], Any]] = {
    "&": operator.and_,
    "|": operator.or_,
    "^": operator.xor,
}
_OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    **_BITWISE,
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
}
_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

_DIVISIONS = ("/", "%")
_SHIFTS = ("<<", ">>")


class ArithmeticFault(Exception):
    """An operation without a result: division by zero, a shift by more than the type's width."""


@lru_cache(maxsize=1024)
def promoted(type_: CType) -> CType:
    """Return the type that an operand of an integer (or pointer) type has in an expression."""
    plain = type_.stripped
    if plain.size < 4:
        return INT
    if plain.size == 8:
        return LONG_LONG if plain.signed else UNSIGNED_LONG_LONG
    return INT if plain.signed else UNSIGNED


@lru_cache(maxsize=1024)
def common(left: CType, right: CType) -> CType:
    """Return the type in which C calculates with two operands (C11 6.3.1.8)."""
    left, right = promoted(left), promoted(right)
    if left.size != right.size:
        return left if left.size > right.size else right
    return left if not left.signed else right


def wrap(number: Number, type_: CType) -> Number:
    """Return ``number`` as a value of an integer type: modulo two to its width."""
    plain = type_.stripped
    if plain.encoding is Encoding.BOOLEAN:
        return truth(number)
    bits = plain.size * 8
    if isinstance(number, np.ndarray):
        return _wrap_array(number, bits, plain.signed)
    number &= (1 << bits) - 1
    return number - (1 << bits) if plain.signed and number >> (bits - 1) else number


def _wrap_array(number: Any, bits: int, signed: bool) -> Any:
    if number.dtype.kind == "b":
        return number.astype(np.int64)
    if bits >= 64 or _fits(number.dtype, bits, signed):
        return number
    number = number.astype(np.int64) & ((1 << bits) - 1)
    return number - ((number >> (bits - 1)) << bits) if signed else number


def _fits(dtype: np.dtype[Any], bits: int, signed: bool) -> bool:
    if dtype.kind == "u":
        return dtype.itemsize * 8 < bits + (not signed)
    return signed and dtype.itemsize * 8 <= bits


@dataclass(frozen=True)
class Operation:
    """An operator in one type; a comparison gives 0 or 1, of arrays: bool."""

    of_integers: Callable[[int, int], int]
    of_arrays: Callable[[Number, Number], Number]
    """Where at least one operand may be an array."""


@lru_cache(maxsize=1024)
def operation(symbol: str, type_: CType) -> Operation | None:
    """Return what calculates in ``type_``, the operands' common type; None for no operator.

    Operands are values of their own types. Both raise :class:`ArithmeticFault`.
    """
    if symbol not in {*_COMPARISONS, *_OPERATIONS, *_DIVISIONS, *_SHIFTS}:
        return None
    general = partial(_binary, symbol, type_)
    return Operation(_of_integers(symbol, type_) or general, general)


def _of_integers(symbol: str, type_: CType) -> Callable[[int, int], int] | None:
    """Return a shorter way for single integers, None where there is none."""
    plain = type_.stripped
    if plain.encoding is Encoding.BOOLEAN:
        return None
    mask, sign = (1 << 8 * plain.size) - 1, 1 << 8 * plain.size - 1
    if symbol in _COMPARISONS:
        compare = _COMPARISONS[symbol]
        if plain.signed:  # then both operands are within it
            return lambda left, right: int(compare(left, right))
        return lambda left, right: int(compare(left & mask, right & mask))
    if symbol in _OPERATIONS:
        # Modulo a power of two it does not matter when operands are wrapped.
        calculate = _OPERATIONS[symbol]
        if plain.signed:
            return lambda left, right: ((calculate(left, right) & mask) ^ sign) - sign
        return lambda left, right: calculate(left, right) & mask
    return None


def _binary(symbol: str, type_: CType, left: Number, right: Number) -> Number:
    if symbol in _SHIFTS:
        return _shift(symbol, left, right, type_)
    left, right = wrap(left, type_), wrap(right, type_)
    if symbol in _COMPARISONS:
        result = _COMPARISONS[symbol](left, right)
        return int(result) if isinstance(result, bool) else result
    if symbol in _DIVISIONS:
        return wrap(_divide(symbol, left, right), type_)
    if not (symbol in _BITWISE and _narrow(left, right)):
        left, right = _wide(left), _wide(right)
    return wrap(_OPERATIONS[symbol](left, right), type_)


def _narrow(left: Number, right: Number) -> bool:
    """Tell whether bits can be combined in the array's own unsigned dtype, which is faster."""
    if isinstance(right, np.ndarray):
        left, right = right, left
    if not isinstance(left, np.ndarray) or isinstance(right, np.ndarray):
        return False
    return left.dtype.kind == "u" and bool(0 <= right < 1 << (left.dtype.itemsize * 8))


def _wide(number: Number) -> Number:
    return number.astype(np.int64) if isinstance(number, np.ndarray) else number


def _shift(symbol: str, left: Number, right: Number, type_: CType) -> Number:
    width = type_.size * 8
    if np.any(right < 0) or np.any(right >= width):
        raise ArithmeticFault(f"a shift by less than 0 or more than {width - 1} bits")
    left = _wide(wrap(left, type_))
    right = _wide(right)
    return wrap(left << right if symbol == "<<" else left >> right, type_)


def _divide(symbol: str, left: Number, right: Number) -> Number:
    """Divide towards zero, as C does."""
    if np.any(right == 0):
        raise ArithmeticFault("a division by zero")
    left, right = _wide(left), _wide(right)
    quotient = abs(left) // abs(right)
    negative = (left < 0) != (right < 0)
    if isinstance(quotient, np.ndarray):
        quotient = np.where(negative, -quotient, quotient)
    elif negative:
        quotient = -quotient
    return quotient if symbol == "/" else left - quotient * right


def truth(number: Number) -> Number:
    """Return 0 or 1; of an array an array of bool."""
    return number != 0 if isinstance(number, np.ndarray) else int(number != 0)
