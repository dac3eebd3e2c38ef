"""C expressions over guest memory, with the types of the kernel's DWARF.

An identifier is a running variable (``zone``), a member of the structure at hand, an enumeration
constant, a variable of the kernel or a symbol of its linker script, in this order. Members may be
those of one structure in memory, or of a numpy array of structures: then every result is an array.
There are no calls and no assignments: looking changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
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
    """``int`` each."""
    structure: tuple[CType, int] | None = None
    """Type and virtual address of one whose members are identifiers."""

    @cached_property
    def names(self) -> frozenset[str]:
        """What is running."""
        return frozenset(self.running)


class Evaluator:
    """Evaluates expressions in one guest's memory."""

    def __init__(self, kernel: KernelImage, space: AddressSpace) -> None:
        self.types = kernel.types
        self.space = space
        self._kernel = kernel
        self._code: dict[tuple[str, frozenset[str], CType | None], Code] = _code_of(kernel)

    def integer(self, expression: str, scope: Scope | None = None) -> int:
        """Return the value of a scalar expression; of an array or structure its address.

        Raise :class:`ExpressionError`, or :class:`NotReadable` where it leads out of memory.
        """
        code, moment = self._ready(expression, scope or _NOTHING)
        return int(code.number(moment))

    def locate(self, expression: str, scope: Scope | None = None) -> Value:
        """Return the object or value that an expression names, not yet loaded."""
        code, moment = self._ready(expression, scope or _NOTHING)
        type_, number, address = code.names.type, code.names.number, code.names.address
        return Value(type_, None if number is None else number(moment), address and address(moment))

    def column(self, expression: str, rows: npt.NDArray[Any], type_: CType) -> npt.NDArray[Any]:
        """Evaluate over each of ``rows``, structures of C type ``type_``; one number a row."""
        code = compile_expression(self._kernel, expression, frozenset(), type_, columns=True)
        number = code.number(Moment(self.space, {}, rows))
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
        place, left, right, mask = code.equality
        return place(moment), int(left(moment)) & mask, int(right(moment)) & mask

    def _ready(self, expression: str, scope: Scope) -> tuple[Code, Moment]:
        type_, address = scope.structure or (None, None)
        key = expression, scope.names, type_
        code = self._code.get(key)
        if code is None:
            code = self._code[key] = compile_expression(self._kernel, *key, columns=False)
        return code, Moment(self.space, scope.running, address)


@lru_cache(maxsize=8)
def _code_of(kernel: KernelImage) -> dict[tuple[str, frozenset[str], CType | None], Code]:
    """Return what has been made ready of a kernel's expressions, by what they mean."""
    return {}


_NOTHING = Scope()
__all__ = ["Evaluator", "ExpressionError", "NoValue", "NotReadable", "Scope", "Value"]
