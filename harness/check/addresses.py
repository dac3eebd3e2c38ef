"""Virtual addresses as a kernel's description writes them: sums of symbols and numbers.

These come from the kernel's image alone, never from guest memory, so that a kernel that believes
something else about them is found out.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from harness.check.runs import FRAME_SIZE

ADDRESS_SPACE = 1 << 32

_TERM = re.compile(r"\s*([+-])\s*(0[xX][0-9a-fA-F]+|\d+|[A-Za-z_]\w*)\s*")


class AddressError(ValueError):
    """An address that is no sum of symbols and numbers, or names an unknown symbol."""


def evaluate(text: str, symbol: Callable[[str], int]) -> int:
    """Return the virtual address that ``text`` says, such as ``stack_top + 4096``.

    ``symbol`` gives the virtual address of a name. Raise :class:`AddressError`.
    """
    position, total = 0, 0
    signed = text if text.lstrip().startswith("-") else "+" + text
    while position < len(signed):
        term = _TERM.match(signed, position)
        if term is None:
            raise AddressError(f"{text!r} is no sum of symbols and numbers")
        value = _value(term[2], text, symbol)
        total += value if term[1] == "+" else -value
        position = term.end()
    return total % ADDRESS_SPACE


def _value(term: str, text: str, symbol: Callable[[str], int]) -> int:
    if term[0].isdigit():
        return int(term, 0)
    try:
        return symbol(term)
    except LookupError as error:
        raise AddressError(f"{text!r}: the kernel has no symbol {term}") from error


def pages_of(start: int, end: int) -> range:
    """Return the pages that the virtual addresses [start, end) touch; an end of 0 means 2^32."""
    return range(start // FRAME_SIZE, -(-(end or ADDRESS_SPACE) // FRAME_SIZE))
