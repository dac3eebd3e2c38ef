"""Virtual addresses as a kernel's description writes them: sums of names and numbers.

A name is a symbol or an enumerator. These come from the kernel's image alone, never from guest
memory, so that a kernel that believes something else about them is found out.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from harness.check.runs import FRAME_SIZE
from harness.image.errors import DescriptionError, UnknownName, brief
from harness.image.kernel_image import KernelImage
from harness.image.position import position
from harness.image.schema.layout import Address

ADDRESS_SPACE = 1 << 32

_TERM = re.compile(r"\s*([+-])\s*(0[xX][0-9a-fA-F]+|\d+|[A-Za-z_]\w*)\s*")


class AddressError(DescriptionError):
    """An address that is no sum of names and numbers, names what is not there, or does not fit."""


def evaluate(text: str, named: Callable[[str], int]) -> int:
    """Return the virtual address that ``text`` says, such as ``stack_top + 4096``.

    ``named`` gives the value of a name or raises ``LookupError``. Raise :class:`AddressError`.
    """
    position, total = 0, 0
    signed = text if text.lstrip().startswith("-") else "+" + text
    while position < len(signed):
        term = _TERM.match(signed, position)
        if term is None:
            raise AddressError(f"{brief(text)} is no sum of symbols and numbers")
        value = _value(term[2], text, named)
        total += value if term[1] == "+" else -value
        position = term.end()
    return total % ADDRESS_SPACE


def _value(term: str, text: str, named: Callable[[str], int]) -> int:
    if term[0].isdigit():
        return int(term, 0)
    try:
        return named(term)
    except LookupError as error:
        raise AddressError(f"in {brief(text)}: {error}") from error


def address_in(kernel: KernelImage, address: Address) -> int:
    """Return the virtual address that ``kernel``'s description writes as ``address``."""

    def named(name: str) -> int:
        enumerator = kernel.types.enumerator(name)
        if enumerator is not None:
            return enumerator
        known = [*kernel.types.enumerators, *kernel.symbols]
        if name not in kernel.symbols:
            raise UnknownName("symbol or enumerator", name, known)
        return kernel.symbol(name)

    if isinstance(address, int):
        return address
    try:
        return evaluate(address, named)
    except AddressError as error:
        description = kernel.description
        where = position(description, description.page_tables, address)
        raise AddressError(f"{where}: {error}") from None


def whole_pages(kernel: KernelImage, what: str, virtual: Address, end: Address) -> range:
    """Return the pages [``virtual``, ``end``); raise :class:`AddressError` if they are none.

    ``what`` names the range in the error.
    """
    start, stop = address_in(kernel, virtual), address_in(kernel, end) or ADDRESS_SPACE
    where = f"{kernel.description.path or 'description'}: {what}: 0x{start:x}-0x{stop:x}"
    if start % FRAME_SIZE or stop % FRAME_SIZE:
        raise AddressError(f"{where}: virtual and end must be multiples of {FRAME_SIZE}")
    if not start < stop <= ADDRESS_SPACE:
        raise AddressError(f"{where}: end must be above virtual, and not above 4 GiB")
    return pages_of(start, stop)


def pages_of(start: int, end: int) -> range:
    """Return the pages that the virtual addresses [start, end) touch; an end of 0 means 2^32."""
    return range(start // FRAME_SIZE, -(-(end or ADDRESS_SPACE) // FRAME_SIZE))
