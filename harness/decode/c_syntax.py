"""The C expressions of a kernel's description, parsed (by pycparser, once each)."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache
from typing import Any

from pycparser import c_parser

from harness.image.errors import SHOWN

LONGEST = 2000
"""Characters of an expression."""
DEEPEST = 100
"""Operators and parentheses around each other."""
_WORD = re.compile(r"[A-Za-z_]\w*")


class ExpressionError(Exception):
    """An expression that is no C, or means nothing for this kernel."""

    def __init__(self, expression: str, column: int | None, reason: str) -> None:
        where = f" at column {column}" if column else ""
        shown = f"'{expression}'" if len(expression) <= SHOWN else f"'{expression[:SHOWN]}…'"
        super().__init__(f"in the expression {shown}{where}: {reason}")
        self.expression = expression
        self.column = column
        self.reason = reason


class NoValue(ExpressionError):
    """An expression that is sound, but what guest memory holds gives it no value."""


def parse(expression: str, type_names: Collection[str]) -> Any:
    """Return the syntax tree; ``type_names`` are what C must know to be types, such as typedefs."""
    words = set(_WORD.findall(expression))
    return _parse(expression, tuple(sorted(words.intersection(type_names))))


@lru_cache(maxsize=4096)
def _parse(expression: str, type_names: tuple[str, ...]) -> Any:
    if len(expression) > LONGEST:
        raise ExpressionError(expression, None, f"longer than {LONGEST} characters")
    if not expression.strip() or any(mark in expression for mark in ";{}#\n"):
        raise ExpressionError(expression, None, "not one C expression")
    # The expression stands on a line of its own, so that the parser's columns are ours.
    known = " ".join(f"typedef int {name};" for name in type_names)
    try:
        tree = c_parser.CParser().parse(f"{known} int value =\n{expression}\n;")
    except c_parser.ParseError as error:
        raise ExpressionError(expression, *_place(str(error), expression)) from None
    except RecursionError:
        raise ExpressionError(expression, None, _TOO_DEEP) from None
    return _checked(expression, tree.ext[-1].init)


_TOO_DEEP = "nested too deeply"


def _checked(expression: str, tree: Any) -> Any:
    """Return a tree that can be walked by recursion."""
    level = [tree]
    for _ in range(DEEPEST):
        level = [child for node in level for _, child in node.children()]
        if not level:
            return tree
    raise ExpressionError(expression, None, _TOO_DEEP)


def _place(message: str, expression: str) -> tuple[int | None, str]:
    """Take pycparser's ``file:line:column: reason`` apart."""
    found = re.match(r".*?:(\d+):(\d+): (.*)", message)
    if found is None or found[1] != "2":
        return len(expression) + 1, "ends too early"
    return int(found[2]), f"syntax error {found[3]}"


def column(node: Any) -> int | None:
    """Return the column of a node in its expression, from 1."""
    return getattr(getattr(node, "coord", None), "column", None)
