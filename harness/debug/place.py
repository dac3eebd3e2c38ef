"""Which word of physical memory a person means."""

from __future__ import annotations

import contextlib

from harness.check.inspect import Inspectable, control_registers
from harness.decode.address_space import AddressSpace, NotReadable
from harness.decode.c_syntax import ExpressionError, NoValue
from harness.decode.expression import Evaluator
from harness.decode.page_tables import decode_page_tables
from harness.image.kernel_image import KernelImage


class NoPlace(ValueError):
    """An address that means no place in this guest's memory; the message is a sentence."""


def physical_of(guest: Inspectable, text: str, physical: bool = False) -> int:
    """Return the physical address that ``text`` means in a paused guest.

    A number, a symbol or a C expression is a virtual address, as the page tables map it now. A
    number that they do not map is physical, and with ``physical`` each is; a variable that they do
    not map is where it was loaded. Raise :class:`NoPlace`.
    """
    tables = decode_page_tables(guest.ram, control_registers(guest))
    space = AddressSpace(guest.ram, tables)
    number = _number(text)
    address = _value(guest, space, text) if number is None else number
    if physical:
        return address
    try:
        return space.translate(address)
    except NotReadable as error:
        if number is not None:
            return number
        if in_image := _in_image(guest.kernel, address):
            return in_image
        raise NoPlace(f"{text!r} cannot be followed: {error}") from None


def _in_image(kernel: KernelImage, virtual: int) -> int | None:
    with contextlib.suppress(LookupError):
        return kernel.physical(virtual)
    return None


def _number(text: str) -> int | None:
    try:
        return int(text, 0)
    except ValueError:
        return None


def _value(guest: Inspectable, space: AddressSpace, text: str) -> int:
    try:
        value = Evaluator(guest.kernel, space).integer(text)
    except (ExpressionError, NoValue, NotReadable) as error:
        raise NoPlace(f"{text!r} is no address here: {error}") from None
    return value % (1 << 32)
