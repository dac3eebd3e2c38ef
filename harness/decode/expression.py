"""C expressions over guest memory, with the types of the kernel's DWARF.

An identifier is a running variable (``zone``), a member of the structure at hand, an enumeration
constant, a variable of the kernel or a symbol of its linker script, in this order. Members may be
those of one structure in memory, or of a numpy array of structures: then every result is an array.
There are no calls and no assignments: looking changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.decode import c_arithmetic as arithmetic
from harness.decode.address_space import AddressSpace, NotReadable
from harness.decode.c_syntax import ExpressionError, NoValue
from harness.decode.expression_code import Code, compile_expression
from harness.decode.expression_values import Moment, Value
from harness.image.c_type import CType
from harness.image.kernel_image import KernelImage


@dataclass(frozen=True)
class Scope:
    """What identifiers mean besides the kernel's own names."""

    running: Mapping[str, int] = field(default_factory=dict)
    structure: Value | None = None
    """Its members are identifiers."""


class Evaluator:
    """Evaluates expressions in one guest's memory."""

    def __init__(self, kernel: KernelImage, space: AddressSpace) -> None:
        self.types = kernel.types
        self.space = space
        self._kernel = kernel
        self._code: dict[tuple[str, tuple[str, ...], CType | None], Code] = {}

    def integer(self, expression: str, scope: Scope | None = None) -> int:
        """Return the value of a scalar expression; of an array or structure its address.

        Raise :class:`ExpressionError`, or :class:`NotReadable` where it leads out of memory.
        """
        code, moment = self._ready(expression, scope or Scope())
        return int(code.load(moment).number)

    def locate(self, expression: str, scope: Scope | None = None) -> Value:
        """Return the object or value that an expression names, not yet loaded."""
        code, moment = self._ready(expression, scope or Scope())
        return code.value(moment)

    def column(self, expression: str, rows: npt.NDArray[Any], type_: CType) -> npt.NDArray[Any]:
        """Evaluate over each of ``rows``, structures of C type ``type_``; one number a row."""
        code, moment = self._ready(expression, Scope(structure=Value(type_, rows=rows)))
        number = code.load(moment).number
        if not isinstance(number, np.ndarray):
            return np.full(len(rows), arithmetic.wrap(number, arithmetic.LONG_LONG))
        return number

    def comparison(self, expression: str, scope: Scope) -> tuple[int, int, int] | None:
        """Return where in memory the left side of ``left == right`` is, and what both are worth.

        Both are in the type in which C compares them, made unsigned. None for an expression of
        another form.
        """
        code, moment = self._ready(expression, scope)
        if code.equality is None:
            return None
        left_place, right_number = code.equality
        place = left_place(moment)
        left, right = code.loaded(moment, place), right_number(moment)
        if place.address is None or place.number is not None:
            return None
        mask = (1 << 8 * arithmetic.common(left.type, right.type).size) - 1
        return place.address, int(left.number) & mask, int(right.number) & mask

    def _ready(self, expression: str, scope: Scope) -> tuple[Code, Moment]:
        structure = scope.structure
        key = expression, tuple(scope.running), structure.type if structure else None
        code = self._code.get(key)
        if code is None:
            names = frozenset(scope.running)
            code = self._code[key] = compile_expression(self._kernel, expression, names, key[2])
        return code, Moment(self.space, scope.running, structure)


__all__ = ["Evaluator", "ExpressionError", "NoValue", "NotReadable", "Scope", "Value"]
