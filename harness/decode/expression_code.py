"""C expressions made ready to run: names and types are settled once, what is left is memory.

C knows all its types before it runs. So each part of an expression becomes a function from the
:class:`Moment` at which it is evaluated to a bare number or address. A description's expressions
are evaluated some hundred times a boot, over thousands of boots of one kernel.
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
from harness.decode.c_arithmetic import INT, UNSIGNED, ArithmeticFault
from harness.decode.c_syntax import ExpressionError, NoValue, column, parse
from harness.decode.expression_values import (
    AGGREGATES,
    Fixed,
    Get,
    Moment,
    Part,
    at_offset,
    bit_field,
    constant,
    loaded,
)
from harness.image.c_type import CType, Kind, Member
from harness.image.errors import UnknownName, nearest
from harness.image.integers import TYPEDEFS
from harness.image.kernel_image import KernelImage
from harness.image.layouts import bits
from harness.image.symbols import NO_SYMBOLS

_CAST = re.compile(r"\(\s*([A-Za-z_]\w*)\s*\*+\s*\)(?=\s*[\w(&*])")
_ADDRESSED = (*AGGREGATES, Kind.FUNCTION, Kind.VOID, Kind.DECLARED)
_NUMBERS = (Kind.BASE, Kind.ENUM, Kind.POINTER)
_COMPARES = ("==", "!=", "<", "<=", ">", ">=")


@dataclass(frozen=True)
class Code:
    """An expression made ready."""

    names: Part
    """What it names or is worth, not yet loaded."""
    number: Get
    """That as a number; arrays and structures become their address."""
    equality: tuple[Get, Get, Get, int] | None
    """Of ``left == right``, where the left side is in memory: its address, both sides' numbers,
    and the mask of the type in which C compares them."""


@lru_cache(maxsize=4096)
def compile_expression(
    kernel: KernelImage,
    expression: str,
    running: frozenset[str],
    structure: CType | None,
    columns: bool,
) -> Code:
    """Return an expression ready to be evaluated where these names mean something besides.

    ``columns`` says that of the structure there are many, in rows. Raise :class:`ExpressionError`
    for what is no C, or names what the kernel does not have.
    """
    return _Compiler(kernel, expression, running, structure, columns).code()


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
        columns: bool,
    ) -> None:
        self._types = kernel.types
        self._symbols = kernel.symbols
        self._running = running
        self._structure = None if structure is None else _at_hand(structure, columns)
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
        tree = self._tree
        names = self._value(tree)
        return Code(names, self._loaded(tree, names).get, self._equality(tree))

    def _equality(self, tree: Any) -> tuple[Get, Get, Get, int] | None:
        if not isinstance(tree, c_ast.BinaryOp) or tree.op != "==":
            return None
        named, right = self._value(tree.left), self._load(tree.right)
        if named.address is None or named.number is not None:
            return None
        place, left = named.address, self._loaded(tree.left, named)
        mask = (1 << 8 * arithmetic.common(left.type, right.type).size) - 1
        return place, left.get, right.get, mask

    def _error(self, node: Any, reason: str) -> ExpressionError:
        return ExpressionError(self._expression, column(node), reason)

    def _value(self, node: Any) -> Part:
        """Return what a node names or is worth."""
        visit = _VISITORS.get(type(node))
        if visit is None:
            what = _REFUSED.get(type(node), type(node).__name__)
            raise self._error(node, f"{what} is not supported")
        try:
            return visit(self, node)
        except UnknownName as error:
            raise self._error(node, str(error)) from None

    def _load(self, node: Any) -> Part:
        """Return a node's number; of arrays and structures it is their address."""
        return self._loaded(node, self._value(node))

    def _lazy(self, node: Any) -> Part | ExpressionError:
        """Return :meth:`_load` of what C may not evaluate: what is wrong with it matters then."""
        try:
            return self._load(node)
        except ExpressionError as error:
            return error

    def _loaded(self, node: Any, value: Part) -> Part:
        if value.number is not None:
            return value
        plain = value.type.stripped
        if plain.kind in _ADDRESSED:
            return self._decay(node, value)
        if value.address is None:
            raise self._error(node, "has no value")
        if plain.size not in (1, 2, 4, 8):
            raise self._error(node, f"a {value.type} is no number")
        return Part(value.type, loaded(value.address, plain.size, plain.signed))

    def _decay(self, node: Any, value: Part) -> Part:
        if value.address is None:
            raise self._error(node, f"a {value.type} is no number")
        plain = value.type.stripped
        element = plain.target if plain.kind is Kind.ARRAY else value.type
        return Part(element.pointer, value.address)

    def _visit_constant(self, node: Any) -> Part:
        if node.type == "char" and len(node.value) == 3:
            return Part(INT, Fixed(ord(node.value[1])))
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
            return Part(INT, lambda moment: moment.running[name])
        if name in self._members:
            assert self._structure is not None
            return self._member(self._structure, self._members[name])
        return self._global(node, name)

    def _global(self, node: Any, name: str) -> Part:
        enumerator = self._types.enumerator(name)
        if enumerator is not None:
            return constant(enumerator)
        try:
            address, type_ = self._types.variable(name)
            return Part(type_, address=Fixed(address))
        except UnknownName:
            if name in self._symbols:
                # C sees it as an object of unknown type: with & or without, it is its address.
                place = Fixed(self._symbols[name])
                return Part(UNSIGNED, place, place)
        if not self._symbols:
            raise self._error(node, f"no {NO_SYMBOLS} {name!r}; name numeric addresses")
        near = [*self._running, *self._members]
        hint = nearest(name, near) or self._types.nearest(name) or nearest(name, self._symbols)
        raise self._error(node, f"no {name!r}" + (f"; nearest: {hint}" if hint else ""))

    def _member(self, structure: Part, member: Member) -> Part:
        if structure.rows is not None:
            return _member_column(structure.rows, member)
        assert structure.address is not None
        if member.bit_size is None:
            return Part(member.type, address=at_offset(structure.address, member.offset))
        type_ = INT if member.bit_size < 32 else member.type
        return Part(type_, bit_field(structure.address, member))

    def _visit_structref(self, node: Any) -> Part:
        base = self._pointee(node.name) if node.type == "->" else self._value(node.name)
        member = self._field(node, base.type)
        if base.rows is None and base.address is None:
            unknown = UnknownName("address of a structure around", member.name, ())
            raise self._error(node, str(unknown))
        return self._member(base, member)

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
        return self._pointed(node, self._load(node))

    def _pointed(self, node: Any, pointer: Part) -> Part:
        """Return what a pointer points to, or an array's first element."""
        plain = pointer.type.stripped
        if plain.kind is not Kind.POINTER:
            raise self._error(node, f"a {pointer.type} is no pointer")
        if pointer.column:
            raise self._error(node, "a column of pointers cannot be followed")
        return Part(plain.target, address=at_offset(pointer.get, 0))

    def _visit_arrayref(self, node: Any) -> Part:
        array, subscript = self._value(node.name), self._load(node.subscript)
        if array.rows is not None and array.type.stripped.kind is Kind.ARRAY:
            return self._element_column(node, array, subscript)
        pointed = self._pointed(node.name, self._loaded(node.name, array))
        if subscript.column:
            raise self._error(node, "a column of indices cannot be followed")
        base, index, size = pointed.address, subscript.get, pointed.type.size
        assert base is not None
        if isinstance(index, Fixed):
            return Part(pointed.type, address=at_offset(base, index.value * size))
        if isinstance(base, Fixed):
            start = base.value
            return Part(pointed.type, address=lambda m: start + index(m) * size & 0xFFFFFFFF)
        return Part(pointed.type, address=lambda m: base(m) + index(m) * size & 0xFFFFFFFF)

    def _element_column(self, node: Any, array: Part, subscript: Part) -> Part:
        plain, index = array.type.stripped, subscript.get
        if not isinstance(index, Fixed) or not 0 <= index.value < (plain.count or 0):
            raise self._error(node, f"index outside {array.type}")
        rows, at = array.rows, index.value
        assert rows is not None
        return _rows(plain.target, lambda moment: rows(moment)[:, at])

    def _visit_unaryop(self, node: Any) -> Part:
        if node.op == "sizeof":
            return self._sizeof(node.expr)
        if node.op == "&":
            return self._address(node)
        if node.op == "*":
            return self._pointee(node.expr)
        if node.op not in ("!", "-", "~", "+"):
            raise self._error(node, f"operator {node.op} is not supported")
        operand = self._load(node.expr)
        if node.op == "!":
            return self._calculated(node, "==", operand, constant(0), operand.type)
        type_ = arithmetic.promoted(operand.type)
        if node.op == "+":
            return Part(type_, operand.number, column=operand.column)
        return self._calculated(node, "-", constant(0 if node.op == "-" else -1), operand, type_)

    def _address(self, node: Any) -> Part:
        place = self._value(node.expr)
        if place.address is None:
            raise self._error(node, "& of what is not in memory")
        return Part(place.type.pointer, place.address)

    def _sizeof(self, node: Any) -> Part:
        named = isinstance(node, c_ast.Typename)
        type_ = self._type(node) if named else self._value(node).type
        return Part(UNSIGNED, Fixed(type_.size))

    def _visit_cast(self, node: Any) -> Part:
        type_, operand = self._type(node.to_type), self._load(node.expr)
        if type_.stripped.kind not in _NUMBERS:
            raise self._error(node, f"no cast to {type_}")
        get = operand.get
        return Part(
            type_,
            lambda moment: arithmetic.wrap(get(moment), type_),
            column=operand.column,
        )

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
        pointers = Kind.POINTER in (left.type.stripped.kind, right.type.stripped.kind)
        if pointers and node.op in ("+", "-"):
            return self._pointer_arithmetic(node, left, right)
        type_ = (
            arithmetic.promoted(left.type)
            if node.op in ("<<", ">>")
            else arithmetic.common(left.type, right.type)
        )
        return self._calculated(node, node.op, left, right, type_)

    def _calculated(self, node: Any, symbol: str, left: Part, right: Part, type_: CType) -> Part:
        """Return the result of an operation in ``type_``; a comparison's is an ``int``."""
        operation = arithmetic.operation(symbol, type_)
        if operation is None:
            raise self._error(node, f"there is no operator {symbol} here")
        many = left.column or right.column
        calculate = operation.of_arrays if many else operation.of_integers
        one, other = left.get, right.get

        def calculated(moment: Moment) -> Any:
            try:
                return calculate(one(moment), other(moment))
            except ArithmeticFault as error:
                raise NoValue(self._expression, column(node), str(error)) from None

        return Part(INT if symbol in _COMPARES else type_, calculated, column=many)

    def _pointer_arithmetic(self, node: Any, left: Part, right: Part) -> Part:
        if right.type.stripped.kind is Kind.POINTER and node.op == "+":
            left, right = right, left
        if left.type.stripped.kind is not Kind.POINTER:
            raise self._error(node, "an integer minus a pointer")
        size = constant(left.type.stripped.target.size or 1)
        if right.type.stripped.kind is Kind.POINTER:
            if node.op == "+":
                raise self._error(node, "a pointer plus a pointer")
            distance = self._calculated(node, "-", left, right, INT)
            return self._calculated(node, "/", distance, size, INT)
        offset = self._calculated(node, "*", right, size, UNSIGNED)
        moved = self._calculated(node, node.op, left, offset, UNSIGNED)
        return Part(left.type, moved.number, column=moved.column)

    def _logic(self, node: Any) -> Part:
        first, second, decided = self._load(node.left), self._lazy(node.right), node.op == "||"
        one, other, truth = first.get, _get(second), arithmetic.truth

        def decide(moment: Moment) -> Any:
            left = truth(one(moment))
            if isinstance(left, int) and bool(left) == decided:
                # C does not evaluate the right side then, and it may not be readable.
                return left
            right = truth(other(moment))
            return left | right if decided else left & right

        return Part(INT, decide, column=first.column or _is_column(second))

    def _visit_ternaryop(self, node: Any) -> Part:
        condition = self._load(node.cond)
        yes, no = self._lazy(node.iftrue), self._lazy(node.iffalse)
        if isinstance(yes, ExpressionError) and isinstance(no, ExpressionError):
            raise yes
        test, iftrue, iffalse = condition.get, _get(yes), _get(no)

        def choose(moment: Moment) -> Any:
            return iftrue(moment) if test(moment) else iffalse(moment)

        def choose_each(moment: Moment) -> Any:
            return np.where(test(moment) != 0, iftrue(moment), iffalse(moment))

        many = condition.column
        return Part(
            _type_of_either(yes, no),
            choose_each if many else choose,
            column=many or _is_column(yes) or _is_column(no),
        )


def _get(part: Part | ExpressionError) -> Get:
    """Return the number of what may be wrong: it is raised when it is asked for."""
    if isinstance(part, Part):
        return part.get

    def fail(moment: Moment) -> Any:
        raise part

    return fail


def _is_column(part: Part | ExpressionError) -> bool:
    return isinstance(part, Part) and part.column


def _type_of_either(yes: Part | ExpressionError, no: Part | ExpressionError) -> CType:
    """Return the type of ``condition ? yes : no`` (C11 6.5.15)."""
    types = [part.type for part in (yes, no) if isinstance(part, Part)]
    pointers = [type_ for type_ in types if type_.stripped.kind is Kind.POINTER]
    if pointers or len(types) == 1:
        return (pointers or types)[0]
    return arithmetic.common(*types)


def _at_hand(structure: CType, columns: bool) -> Part:
    """Return the structure whose members are identifiers."""
    if columns:
        return Part(structure, rows=lambda moment: moment.structure)
    return Part(structure, address=lambda moment: moment.structure)


def _member_column(rows: Get, member: Member) -> Part:
    """Return a member of each of an array of structures."""
    name = member.name
    if member.bit_size is not None:
        type_ = INT if member.bit_size < 32 else member.type
        return Part(type_, lambda moment: bits(rows(moment)[name], member), column=True)
    return _rows(member.type, lambda moment: rows(moment)[name])


def _rows(type_: CType, rows: Get) -> Part:
    """Return one field of each row: numbers, or aggregates to be taken apart further."""
    if type_.stripped.kind in AGGREGATES:
        return Part(type_, rows=rows)
    return Part(type_, rows, rows=rows, column=True)


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
