"""C expressions over guest memory, with the types of the kernel's DWARF.

An identifier is a running variable (``zone``), a member of the structure at hand, an enumeration
constant, a variable of the kernel or a symbol of its linker script, in this order. Members may be
those of one structure in memory, or of a numpy array of structures: then every result is an array.
There are no calls and no assignments: looking changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from pycparser import c_ast

from harness.decode import c_arithmetic as arithmetic
from harness.decode.address_space import AddressSpace, NotReadable
from harness.decode.c_arithmetic import INT, UNSIGNED, ArithmeticFault, Number
from harness.decode.c_syntax import ExpressionError, NoValue, column, parse
from harness.image.c_type import CType, Kind, Member
from harness.image.errors import UnknownName, nearest
from harness.image.integers import TYPEDEFS
from harness.image.kernel_image import KernelImage
from harness.image.layouts import bits
from harness.image.symbols import NO_SYMBOLS

_CAST = re.compile(r"\(\s*([A-Za-z_]\w*)\s*\*+\s*\)(?=\s*[\w(&*])")
_AGGREGATES = (Kind.STRUCT, Kind.UNION, Kind.ARRAY)


@dataclass(frozen=True)
class Value:
    """A value or, with an ``address``, an object in guest memory that has not been loaded yet."""

    type: CType
    number: Number = None
    address: int | None = None
    """Virtual."""
    rows: npt.NDArray[Any] | None = None
    """An aggregate of each element of an array of structures."""


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
        self._symbols = kernel.symbols
        self._names = _type_names(kernel)

    def integer(self, expression: str, scope: Scope | None = None) -> int:
        """Return the value of a scalar expression; of an array or structure its address.

        Raise :class:`ExpressionError`, or :class:`NotReadable` where it leads out of memory.
        """
        return int(self._run(expression, scope, load=True).number)

    def locate(self, expression: str, scope: Scope | None = None) -> Value:
        """Return the object or value that an expression names, not yet loaded."""
        return self._run(expression, scope, load=False)

    def column(self, expression: str, rows: npt.NDArray[Any], type_: CType) -> npt.NDArray[Any]:
        """Evaluate over each of ``rows``, structures of C type ``type_``; one number a row."""
        scope = Scope(structure=Value(type_, rows=rows))
        number = self._run(expression, scope, load=True).number
        if not isinstance(number, np.ndarray):
            return np.full(len(rows), arithmetic.wrap(number, arithmetic.LONG_LONG))
        return number

    def comparison(self, expression: str, scope: Scope) -> tuple[int, int, int] | None:
        """Return where in memory the left side of ``left == right`` is, and what both are worth.

        None for an expression of another form.
        """
        return _Run(self, expression, scope).comparison()

    def _run(self, expression: str, scope: Scope | None, load: bool) -> Value:
        return _Run(self, expression, scope or Scope()).result(load)


@lru_cache(maxsize=8)
def _type_names(kernel: KernelImage) -> frozenset[str]:
    """Return the typedefs, its own and the standard ones: names that C must be told are types."""
    names = (name for name in kernel.types.names if name.isidentifier())
    own = frozenset(n for n in names if kernel.types.lookup(n).kind is Kind.TYPEDEF)
    return own | TYPEDEFS


@lru_cache(maxsize=256)
def _members(type_: CType) -> dict[str, Member]:
    """Return the members of a structure by name."""
    return {member.name: member for member in type_.fields()}


class _Run:
    """One evaluation of one expression."""

    def __init__(self, of: Evaluator, expression: str, scope: Scope) -> None:
        self._types = of.types
        self._space = of.space
        self._symbols = of._symbols
        self._scope = scope
        self._expression = expression
        try:
            self._tree = parse(expression, of._names)
        except ExpressionError:
            self._explain_cast()
            raise

    def _explain_cast(self) -> None:
        """Raise for what looks like a cast to a type that there is not: to C it is no syntax."""
        for cast in _CAST.finditer(self._expression):
            try:
                self._types.lookup(cast[1])
            except UnknownName as error:
                where = cast.start(1) + 1
                raise ExpressionError(self._expression, where, str(error)) from None

    def result(self, load: bool) -> Value:
        """Evaluate the whole expression."""
        return self._load(self._tree) if load else self._value(self._tree)

    def comparison(self) -> tuple[int, int, int] | None:
        """Evaluate both sides of ``==``, in the type in which C compares them made unsigned."""
        tree = self._tree
        if not isinstance(tree, c_ast.BinaryOp) or tree.op != "==":
            return None
        place = self._value(tree.left)
        left, right = self._loaded(tree.left, place), self._load(tree.right)
        if place.address is None or place.number is not None:
            return None
        mask = (1 << 8 * arithmetic.common(left.type, right.type).size) - 1
        return place.address, int(left.number) & mask, int(right.number) & mask

    def _error(self, node: Any, reason: str) -> ExpressionError:
        return ExpressionError(self._expression, column(node), reason)

    def _value(self, node: Any) -> Value:
        """Return what a node names or is worth."""
        visit = _VISITORS.get(type(node))
        if visit is None:
            what = _REFUSED.get(type(node), type(node).__name__)
            raise self._error(node, f"{what} is not supported")
        try:
            result: Value = visit(self, node)
        except UnknownName as error:
            raise self._error(node, str(error)) from None
        except ArithmeticFault as error:
            raise NoValue(self._expression, column(node), str(error)) from None
        return result

    def _load(self, node: Any) -> Value:
        """Return a node's value as a number; arrays and structures become their address."""
        return self._loaded(node, self._value(node))

    def _loaded(self, node: Any, value: Value) -> Value:
        if value.number is not None:
            return value
        plain = value.type.stripped
        if plain.kind in _AGGREGATES or plain.kind in (Kind.FUNCTION, Kind.VOID, Kind.DECLARED):
            return self._decay(node, value)
        if value.address is None:
            raise self._error(node, "has no value")
        if plain.size not in (1, 2, 4, 8):
            raise self._error(node, f"a {value.type} is no number")
        data = self._space.read(value.address, plain.size)
        return Value(value.type, int.from_bytes(data, "little", signed=plain.signed))

    def _decay(self, node: Any, value: Value) -> Value:
        if value.address is None:
            raise self._error(node, f"a {value.type} is no number")
        plain = value.type.stripped
        element = plain.target if plain.kind is Kind.ARRAY else value.type
        return Value(element.pointer, value.address)

    def _visit_constant(self, node: Any) -> Value:
        if node.type == "char" and len(node.value) == 3:
            return Value(INT, ord(node.value[1]))
        text = node.value.rstrip("uUlL")
        octal = text.startswith("0") and text.isdigit()
        try:
            number = int(text, 8 if octal else 0)
        except ValueError:
            raise self._error(node, f"{node.value} is no integer") from None
        if number >> 64:
            raise self._error(node, "a number of more than 64 bits")
        return self._constant(number, unsigned="u" in node.value.lower())

    def _constant(self, number: int, unsigned: bool = False) -> Value:
        """Give a constant the first type that holds it (C11 6.4.4.1), as if it were in hex."""
        if -(1 << 31) <= number < 1 << 31 and not unsigned:
            return Value(INT, number)
        if 0 <= number < 1 << 32:
            return Value(UNSIGNED, number)
        return Value(arithmetic.LONG_LONG, number)

    def _visit_id(self, node: Any) -> Value:
        name = node.name
        if name in self._scope.running:
            return self._constant(self._scope.running[name])
        structure = self._scope.structure
        if structure is not None:
            member = _members(structure.type.stripped).get(name)
            if member is not None:
                return self._member(structure, member)
        return self._global(node, name)

    def _global(self, node: Any, name: str) -> Value:
        constant = self._types.enumerator(name)
        if constant is not None:
            return self._constant(constant)
        try:
            address, type_ = self._types.variable(name)
            return Value(type_, address=address)
        except UnknownName:
            if name in self._symbols:
                # C sees it as an object of unknown type: with & or without, it is its address.
                address = self._symbols[name]
                return Value(UNSIGNED, address, address)
        if not self._symbols:
            raise self._error(node, f"no {NO_SYMBOLS} {name!r}; name numeric addresses")
        structure = self._scope.structure
        near = list(self._scope.running)
        near += _members(structure.type.stripped) if structure else []
        hint = nearest(name, near) or self._types.nearest(name) or nearest(name, self._symbols)
        raise self._error(node, f"no {name!r}" + (f"; nearest: {hint}" if hint else ""))

    def _member(self, structure: Value, member: Member) -> Value:
        if structure.rows is not None:
            return self._column(structure.rows[member.name], member)
        if structure.address is None:
            raise UnknownName("address of a structure around", member.name, ())
        if member.bit_size is None:
            return Value(member.type, address=structure.address + member.offset)
        offset, size = member.storage
        data = self._space.read(structure.address + offset, size)
        number = int.from_bytes(data, "little") >> member.shift & ((1 << member.bit_size) - 1)
        if member.type.signed and number >> (member.bit_size - 1):
            number -= 1 << member.bit_size
        return Value(INT if member.bit_size < 32 else member.type, number)

    def _column(self, rows: npt.NDArray[Any], member: Member) -> Value:
        if member.bit_size is not None:
            return Value(INT if member.bit_size < 32 else member.type, bits(rows, member))
        if member.type.stripped.kind in _AGGREGATES:
            return Value(member.type, rows=rows)
        return Value(member.type, rows)

    def _visit_structref(self, node: Any) -> Value:
        structure = self._pointee(node.name) if node.type == "->" else self._value(node.name)
        plain = structure.type.stripped
        if plain.kind not in (Kind.STRUCT, Kind.UNION):
            hint = "->" if plain.kind is Kind.POINTER else "no structure"
            reason = f"a {structure.type} has no members" + (" (use ->)" if hint == "->" else "")
            raise self._error(node, reason)
        return self._member(structure, plain.member(node.field.name))

    def _pointee(self, node: Any) -> Value:
        return self._pointed(node, self._load(node))

    def _pointed(self, node: Any, pointer: Value) -> Value:
        """Return what a pointer points to, or an array's first element."""
        plain = pointer.type.stripped
        if plain.kind is not Kind.POINTER:
            raise self._error(node, f"a {pointer.type} is no pointer")
        if isinstance(pointer.number, np.ndarray):
            raise self._error(node, "a column of pointers cannot be followed")
        return Value(plain.target, address=arithmetic.wrap(int(pointer.number), UNSIGNED))

    def _visit_arrayref(self, node: Any) -> Value:
        base, index = self._value(node.name), self._load(node.subscript).number
        plain = base.type.stripped
        if base.rows is not None and plain.kind is Kind.ARRAY:
            if not isinstance(index, int) or not 0 <= index < (plain.count or 0):
                raise self._error(node, f"index outside {base.type}")
            rows = base.rows[:, index]
            aggregate = plain.target.stripped.kind in _AGGREGATES
            return Value(plain.target, None if aggregate else rows, rows=rows)
        pointed = self._pointed(node.name, self._loaded(node.name, base))
        if isinstance(index, np.ndarray) or pointed.address is None:
            raise self._error(node, "a column of indices cannot be followed")
        address = pointed.address + int(index) * pointed.type.size
        return Value(pointed.type, address=arithmetic.wrap(address, UNSIGNED))

    def _visit_unaryop(self, node: Any) -> Value:
        if node.op == "sizeof":
            return Value(UNSIGNED, self._sizeof(node.expr))
        if node.op == "&":
            value = self._value(node.expr)
            if value.address is None:
                raise self._error(node, "& of what is not in memory")
            return Value(value.type.pointer, value.address)
        if node.op == "*":
            return self._pointee(node.expr)
        operand = self._load(node.expr)
        if node.op == "!":
            return Value(INT, arithmetic.binary("==", operand.number, 0, operand.type))
        type_ = arithmetic.promoted(operand.type)
        if node.op == "-":
            return Value(type_, arithmetic.binary("-", 0, operand.number, type_))
        if node.op == "~":
            return Value(type_, arithmetic.binary("-", -1, operand.number, type_))
        if node.op == "+":
            return Value(type_, operand.number)
        raise self._error(node, f"operator {node.op} is not supported")

    def _sizeof(self, node: Any) -> int:
        if isinstance(node, c_ast.Typename):
            return self._type(node).size
        return self._value(node).type.size

    def _visit_cast(self, node: Any) -> Value:
        type_ = self._type(node.to_type)
        operand = self._load(node.expr)
        if type_.stripped.kind not in (Kind.BASE, Kind.ENUM, Kind.POINTER):
            raise self._error(node, f"no cast to {type_}")
        return Value(type_, arithmetic.wrap(operand.number, type_))

    def _type(self, node: Any) -> CType:
        """Return the type that a C type name in the syntax tree stands for."""
        if isinstance(node, (c_ast.Typename, c_ast.TypeDecl)):
            return self._type(node.type)
        if isinstance(node, c_ast.PtrDecl):
            return self._type(node.type).pointer
        if isinstance(node, c_ast.IdentifierType):
            return self._types.lookup(" ".join(node.names))
        for kind in ("struct", "union", "enum"):
            if type(node).__name__.lower() == kind:
                return self._types.lookup(f"{kind} {node.name}")
        raise self._error(node, "such a type name is not supported")

    def _visit_binaryop(self, node: Any) -> Value:
        if node.op in ("&&", "||"):
            return Value(INT, self._logic(node))
        left, right = self._load(node.left), self._load(node.right)
        pointers = [v.type.stripped.kind is Kind.POINTER for v in (left, right)]
        if node.op in ("+", "-") and any(pointers):
            return self._pointer_arithmetic(node, left, right)
        type_ = (
            arithmetic.promoted(left.type)
            if node.op in ("<<", ">>")
            else arithmetic.common(left.type, right.type)
        )
        number = arithmetic.binary(node.op, left.number, right.number, type_)
        compares = node.op in ("==", "!=", "<", "<=", ">", ">=")
        return Value(INT if compares else type_, number)

    def _pointer_arithmetic(self, node: Any, left: Value, right: Value) -> Value:
        if right.type.stripped.kind is Kind.POINTER and node.op == "+":
            left, right = right, left
        if left.type.stripped.kind is not Kind.POINTER:
            raise self._error(node, "an integer minus a pointer")
        size = left.type.stripped.target.size or 1
        if right.type.stripped.kind is Kind.POINTER:
            if node.op == "+":
                raise self._error(node, "a pointer plus a pointer")
            distance = arithmetic.binary("-", left.number, right.number, INT)
            return Value(INT, arithmetic.binary("/", distance, size, INT))
        offset = arithmetic.binary("*", right.number, size, UNSIGNED)
        return Value(left.type, arithmetic.binary(node.op, left.number, offset, UNSIGNED))

    def _logic(self, node: Any) -> Number:
        left = arithmetic.truth(self._load(node.left).number)
        if isinstance(left, int) and bool(left) == (node.op == "||"):
            return left  # C does not evaluate the right side then, and it may not be readable.
        right = arithmetic.truth(self._load(node.right).number)
        return left & right if node.op == "&&" else left | right

    def _visit_ternaryop(self, node: Any) -> Value:
        chosen = self._load(node.cond).number
        if not isinstance(chosen, np.ndarray):
            return self._load(node.iftrue if chosen else node.iffalse)
        yes, no = self._load(node.iftrue), self._load(node.iffalse)
        return Value(
            arithmetic.common(yes.type, no.type), np.where(chosen != 0, yes.number, no.number)
        )


_REFUSED = {
    c_ast.Assignment: "an assignment",
    c_ast.CompoundLiteral: "a compound literal",
    c_ast.ExprList: "a comma",
    c_ast.FuncCall: "a call",
}
"""What C has and this has not."""
_VISITORS: dict[type, Callable[[_Run, Any], Value]] = {
    c_ast.Constant: _Run._visit_constant,
    c_ast.ID: _Run._visit_id,
    c_ast.StructRef: _Run._visit_structref,
    c_ast.ArrayRef: _Run._visit_arrayref,
    c_ast.UnaryOp: _Run._visit_unaryop,
    c_ast.BinaryOp: _Run._visit_binaryop,
    c_ast.TernaryOp: _Run._visit_ternaryop,
    c_ast.Cast: _Run._visit_cast,
}

__all__ = ["Evaluator", "ExpressionError", "NoValue", "NotReadable", "Scope", "Value"]
