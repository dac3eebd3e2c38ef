"""C expressions made ready to run: names are looked up once, and what is left is done in memory.

Each part of an expression becomes a function from the :class:`Moment` at which it is evaluated to
its :class:`Value`. A description's expressions are evaluated some two hundred times a boot, over
thousands of boots of one kernel.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from pycparser import c_ast

from harness.decode import c_arithmetic as arithmetic
from harness.decode.c_arithmetic import INT, UNSIGNED, ArithmeticFault, Number
from harness.decode.c_syntax import ExpressionError, NoValue, column, parse
from harness.decode.expression_values import (
    AGGREGATES,
    UNARY,
    Moment,
    Value,
    column_of,
    constant,
)
from harness.image.c_type import CType, Kind, Member
from harness.image.errors import UnknownName, nearest
from harness.image.integers import TYPEDEFS
from harness.image.kernel_image import KernelImage
from harness.image.symbols import NO_SYMBOLS

_CAST = re.compile(r"\(\s*([A-Za-z_]\w*)\s*\*+\s*\)(?=\s*[\w(&*])")
_ADDRESSED = (*AGGREGATES, Kind.FUNCTION, Kind.VOID, Kind.DECLARED)
_NUMBERS = (Kind.BASE, Kind.ENUM, Kind.POINTER)
_COMPARES = ("==", "!=", "<", "<=", ">", ">=")


Part = Callable[[Moment], Value]


@dataclass(frozen=True)
class Code:
    """An expression made ready."""

    value: Part
    """What it names or is worth, not yet loaded."""
    load: Part
    """That as a number; arrays and structures become their address."""
    equality: tuple[Part, Part] | None
    """Of ``left == right``: what the left side names, and the right side's number."""
    loaded: Callable[[Moment, Value], Value]
    """Load what :attr:`value`, or the left side of :attr:`equality`, names."""


@lru_cache(maxsize=4096)
def compile_expression(
    kernel: KernelImage, expression: str, running: frozenset[str], structure: CType | None
) -> Code:
    """Return an expression ready to be evaluated where these names mean something besides.

    Raise :class:`ExpressionError` for what is no C, or names what the kernel does not have.
    """
    return _Compiler(kernel, expression, running, structure).code()


@lru_cache(maxsize=8)
def _type_names(kernel: KernelImage) -> frozenset[str]:
    """Return the typedefs, its own and the standard ones: names that C must be told are types."""
    names = (name for name in kernel.types.names if name.isidentifier())
    own = frozenset(n for n in names if kernel.types.lookup(n).kind is Kind.TYPEDEF)
    return own | TYPEDEFS


class _Compiler:
    """Makes one expression ready."""

    def __init__(
        self,
        kernel: KernelImage,
        expression: str,
        running: Collection[str],
        structure: CType | None,
    ) -> None:
        self._types = kernel.types
        self._symbols = kernel.symbols
        self._running = running
        self._members = (
            {member.name: member for member in structure.stripped.fields()}
            if (structure is not None)
            else {}
        )
        self._expression = expression
        try:
            self._tree = parse(expression, _type_names(kernel))
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

    def code(self) -> Code:
        """Return the whole expression."""
        tree, equality = self._tree, None
        if isinstance(tree, c_ast.BinaryOp) and tree.op == "==":
            equality = self._value(tree.left), self._load(tree.right)
        loaded = self._loader(tree.left if equality else tree)
        return Code(self._value(tree), self._load(tree), equality, loaded)

    def _error(self, node: Any, reason: str) -> ExpressionError:
        return ExpressionError(self._expression, column(node), reason)

    def _value(self, node: Any) -> Part:
        """Return what finds out what a node names or is worth."""
        visit = _VISITORS.get(type(node))
        if visit is None:
            what = _REFUSED.get(type(node), type(node).__name__)
            raise self._error(node, f"{what} is not supported")
        try:
            return visit(self, node)
        except UnknownName as error:
            raise self._error(node, str(error)) from None

    def _load(self, node: Any) -> Part:
        """Return what gives a node's number; of arrays and structures it is their address."""
        value, loaded = self._value(node), self._loader(node)
        return lambda moment: loaded(moment, value(moment))

    def _lazy(self, node: Any) -> Part:
        """Return :meth:`_load` of what C may not evaluate: what is wrong with it matters then."""
        try:
            return self._load(node)
        except ExpressionError as error:
            wrong = error

            def fail(moment: Moment) -> Value:
                raise wrong

            return fail

    def _loader(self, node: Any) -> Callable[[Moment, Value], Value]:
        def loaded(moment: Moment, value: Value) -> Value:
            if value.number is not None:
                return value
            plain = value.type.stripped
            if plain.kind in _ADDRESSED:
                return self._decay(node, value)
            if value.address is None:
                raise self._error(node, "has no value")
            if plain.size not in (1, 2, 4, 8):
                raise self._error(node, f"a {value.type} is no number")
            data = moment.space.read(value.address, plain.size)
            return Value(value.type, int.from_bytes(data, "little", signed=plain.signed))

        return loaded

    def _decay(self, node: Any, value: Value) -> Value:
        if value.address is None:
            raise self._error(node, f"a {value.type} is no number")
        plain = value.type.stripped
        element = plain.target if plain.kind is Kind.ARRAY else value.type
        return Value(element.pointer, value.address)

    def _visit_constant(self, node: Any) -> Part:
        value = self._constant(node)
        return lambda moment: value

    def _constant(self, node: Any) -> Value:
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
        return constant(number, unsigned="u" in node.value.lower())

    def _visit_id(self, node: Any) -> Part:
        name = node.name
        if name in self._running:
            return lambda moment: constant(moment.running[name])
        if name in self._members:
            member = self._members[name]
            return lambda moment: self._member(moment, node, _structure(moment), member)
        value = self._global(node, name)
        return lambda moment: value

    def _global(self, node: Any, name: str) -> Value:
        enumerator = self._types.enumerator(name)
        if enumerator is not None:
            return constant(enumerator)
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
        near = [*self._running, *self._members]
        hint = nearest(name, near) or self._types.nearest(name) or nearest(name, self._symbols)
        raise self._error(node, f"no {name!r}" + (f"; nearest: {hint}" if hint else ""))

    def _member(self, moment: Moment, node: Any, structure: Value, member: Member) -> Value:
        if structure.rows is not None:
            return column_of(structure.rows[member.name], member)
        if structure.address is None:
            unknown = UnknownName("address of a structure around", member.name, ())
            raise self._error(node, str(unknown))
        if member.bit_size is None:
            return Value(member.type, None, structure.address + member.offset)
        offset, size = member.storage
        data = moment.space.read(structure.address + offset, size)
        number = int.from_bytes(data, "little") >> member.shift & ((1 << member.bit_size) - 1)
        if member.type.signed and number >> (member.bit_size - 1):
            number -= 1 << member.bit_size
        return Value(INT if member.bit_size < 32 else member.type, number)

    def _visit_structref(self, node: Any) -> Part:
        base = self._pointee(node.name) if node.type == "->" else self._value(node.name)
        found = lru_cache(maxsize=16)(lambda type_: self._field(node, type_))

        def reference(moment: Moment) -> Value:
            structure = base(moment)
            return self._member(moment, node, structure, found(structure.type))

        return reference

    def _field(self, node: Any, type_: CType) -> Member:
        plain = type_.stripped
        if plain.kind not in (Kind.STRUCT, Kind.UNION):
            hint = " (use ->)" if plain.kind is Kind.POINTER else ""
            raise self._error(node, f"a {type_} has no members{hint}")
        try:
            return plain.member(node.field.name)
        except UnknownName as error:
            raise self._error(node, str(error)) from None

    def _pointee(self, node: Any) -> Part:
        pointer = self._load(node)
        return lambda moment: self._pointed(node, pointer(moment))

    def _pointed(self, node: Any, pointer: Value) -> Value:
        """Return what a pointer points to, or an array's first element."""
        plain = pointer.type.stripped
        if plain.kind is not Kind.POINTER:
            raise self._error(node, f"a {pointer.type} is no pointer")
        if isinstance(pointer.number, np.ndarray):
            raise self._error(node, "a column of pointers cannot be followed")
        return Value(plain.target, None, int(pointer.number) & 0xFFFFFFFF)

    def _visit_arrayref(self, node: Any) -> Part:
        array, subscript = self._value(node.name), self._load(node.subscript)
        loaded = self._loader(node.name)

        def element(moment: Moment) -> Value:
            base, index = array(moment), subscript(moment).number
            if base.rows is not None and base.type.stripped.kind is Kind.ARRAY:
                return self._element_column(node, base, index)
            pointed = self._pointed(node.name, loaded(moment, base))
            if isinstance(index, np.ndarray) or pointed.address is None:
                raise self._error(node, "a column of indices cannot be followed")
            address = pointed.address + int(index) * pointed.type.size
            return Value(pointed.type, None, address & 0xFFFFFFFF)

        return element

    def _element_column(self, node: Any, base: Value, index: Number) -> Value:
        plain = base.type.stripped
        assert base.rows is not None
        if not isinstance(index, int) or not 0 <= index < (plain.count or 0):
            raise self._error(node, f"index outside {base.type}")
        rows = base.rows[:, index]
        aggregate = plain.target.stripped.kind in AGGREGATES
        return Value(plain.target, None if aggregate else rows, rows=rows)

    def _visit_unaryop(self, node: Any) -> Part:
        if node.op == "sizeof":
            return self._sizeof(node.expr)
        if node.op == "&":
            return self._address(node)
        if node.op == "*":
            return self._pointee(node.expr)
        if node.op not in UNARY:
            raise self._error(node, f"operator {node.op} is not supported")
        operand, apply = self._load(node.expr), UNARY[node.op]
        return lambda moment: apply(operand(moment))

    def _address(self, node: Any) -> Part:
        place = self._value(node.expr)

        def address(moment: Moment) -> Value:
            value = place(moment)
            if value.address is None:
                raise self._error(node, "& of what is not in memory")
            return Value(value.type.pointer, value.address)

        return address

    def _sizeof(self, node: Any) -> Part:
        if isinstance(node, c_ast.Typename):
            value = Value(UNSIGNED, self._type(node).size)
            return lambda moment: value
        operand = self._value(node)
        return lambda moment: Value(UNSIGNED, operand(moment).type.size)

    def _visit_cast(self, node: Any) -> Part:
        type_, operand = self._type(node.to_type), self._load(node.expr)
        if type_.stripped.kind not in _NUMBERS:
            raise self._error(node, f"no cast to {type_}")
        return lambda moment: Value(type_, arithmetic.wrap(operand(moment).number, type_))

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

    def _visit_binaryop(self, node: Any) -> Part:
        if node.op in ("&&", "||"):
            return self._logic(node)
        left, right = self._load(node.left), self._load(node.right)

        def calculated(moment: Moment) -> Value:
            try:
                return self._binary(node, left(moment), right(moment))
            except ArithmeticFault as error:
                raise NoValue(self._expression, column(node), str(error)) from None

        return calculated

    def _binary(self, node: Any, left: Value, right: Value) -> Value:
        pointers = Kind.POINTER in (left.type.stripped.kind, right.type.stripped.kind)
        if pointers and node.op in ("+", "-"):
            return self._pointer_arithmetic(node, left, right)
        type_ = (
            arithmetic.promoted(left.type)
            if node.op in ("<<", ">>")
            else arithmetic.common(left.type, right.type)
        )
        number = arithmetic.binary(node.op, left.number, right.number, type_)
        return Value(INT if node.op in _COMPARES else type_, number)

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

    def _logic(self, node: Any) -> Part:
        first, second, decided = self._load(node.left), self._lazy(node.right), node.op == "||"

        def decide(moment: Moment) -> Value:
            left = arithmetic.truth(first(moment).number)
            if isinstance(left, int) and bool(left) == decided:
                # C does not evaluate the right side then, and it may not be readable.
                return Value(INT, left)
            right = arithmetic.truth(second(moment).number)
            return Value(INT, left | right if decided else left & right)

        return decide

    def _visit_ternaryop(self, node: Any) -> Part:
        condition = self._load(node.cond)
        iftrue, iffalse = self._lazy(node.iftrue), self._lazy(node.iffalse)

        def choose(moment: Moment) -> Value:
            chosen = condition(moment).number
            if not isinstance(chosen, np.ndarray):
                return iftrue(moment) if chosen else iffalse(moment)
            yes, no = iftrue(moment), iffalse(moment)
            number = np.where(chosen != 0, yes.number, no.number)
            return Value(arithmetic.common(yes.type, no.type), number)

        return choose


def _structure(moment: Moment) -> Value:
    assert moment.structure is not None
    return moment.structure


_REFUSED = {
    c_ast.Assignment: "an assignment",
    c_ast.CompoundLiteral: "a compound literal",
    c_ast.ExprList: "a comma",
    c_ast.FuncCall: "a call",
}
"""What C has and this has not."""

_VISITORS: dict[type, Callable[[_Compiler, Any], Part]] = {
    c_ast.Constant: _Compiler._visit_constant,
    c_ast.ID: _Compiler._visit_id,
    c_ast.StructRef: _Compiler._visit_structref,
    c_ast.ArrayRef: _Compiler._visit_arrayref,
    c_ast.UnaryOp: _Compiler._visit_unaryop,
    c_ast.BinaryOp: _Compiler._visit_binaryop,
    c_ast.TernaryOp: _Compiler._visit_ternaryop,
    c_ast.Cast: _Compiler._visit_cast,
}
