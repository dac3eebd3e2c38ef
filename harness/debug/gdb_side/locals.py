"""Expressions that name what only gdb knows: local variables and gdb's own.

The harness evaluates C over the guest's memory. What belongs to a stack frame, or begins with a
dollar, gdb evaluates first, and puts its value with its type in its place.
"""

from __future__ import annotations

import re

import gdb

_NAME = re.compile(r"(?<![\w.$>-])(\$\w+|[A-Za-z_]\w*)\b|->\s*\w+")
"""A name that is no member; members are matched so that they are passed over."""


def in_terms_of_the_kernel(argument: str) -> str:
    """Return a command's argument with gdb's own names replaced by casts of their values."""
    return _NAME.sub(_replaced, argument)


def _replaced(found: re.Match[str]) -> str:
    name = found[1]
    if name is None or not (name.startswith("$") or _is_local(name)):
        return found[0]
    try:
        return _cast(gdb.parse_and_eval(name))
    except (gdb.error, OverflowError) as error:
        raise gdb.GdbError(f"{name}: {error}") from None


def _is_local(name: str) -> bool:
    try:
        symbol, _ = gdb.lookup_symbol(name)
    except gdb.error:  # there is no frame
        return False
    return symbol is not None and bool(symbol.needs_frame)


def _cast(value: gdb.Value) -> str:
    """Return C for a value: a number with its type, or the object at its address."""
    plain = value.type.strip_typedefs()
    if plain.code in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION, gdb.TYPE_CODE_ARRAY):
        if value.address is None:
            raise gdb.error("it is not in memory")
        target = value.type if plain.code != gdb.TYPE_CODE_ARRAY else plain.target()
        pointer = f"({target.unqualified()} *){int(value.address):#x}"
        return f"({pointer})" if plain.code == gdb.TYPE_CODE_ARRAY else f"(*{pointer})"
    number = int(value) % (1 << 8 * plain.sizeof)
    if plain.code == gdb.TYPE_CODE_PTR and plain.target().code != gdb.TYPE_CODE_FUNC:
        return f"(({plain.target().unqualified()} *){number:#x})"
    return f"{number:#x}"
