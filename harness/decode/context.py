"""What every structure's decoder has at hand."""

from __future__ import annotations

from dataclasses import dataclass

from harness.decode.address_space import AddressSpace, NotReadable
from harness.decode.belief.fault import DecodeFault
from harness.decode.belief.paging import FRAME_SIZE
from harness.decode.expression import Evaluator, NoValue, Scope
from harness.image.errors import DescriptionError
from harness.image.kernel_image import KernelImage
from harness.ram.protocol import Ram

MAX_FRAMES = (1 << 32) // FRAME_SIZE
"""Frames that a 32-bit kernel without high physical addresses can have: those below 4 GiB."""


class Undecodable(Exception):
    """A structure that cannot be decoded at all, as it stands in this guest's memory."""

    def __init__(self, message: str, *chain: int) -> None:
        super().__init__(message)
        self.chain = chain
        """Virtual addresses that led there."""


@dataclass(frozen=True)
class Context:
    """One guest at one moment."""

    ram: Ram
    kernel: KernelImage
    space: AddressSpace
    evaluate: Evaluator

    def counter(self, expression: str | None) -> int | None:
        """Return one of the kernel's own counters, None when it has none."""
        return None if expression is None else self.evaluate.integer(expression)

    def place(self, expression: str | None, scope: Scope | None = None) -> int | None:
        """Return the virtual address of what an expression names, None when it is in no place."""
        return None if expression is None else self.evaluate.locate(expression, scope).address

    def holds(self, expression: str | None, otherwise: bool) -> bool:
        """Return whether an expression is true; ``otherwise`` when there is none."""
        return otherwise if expression is None else bool(self.evaluate.integer(expression))

    def count(self, expression: str, what: str, limit: int) -> int:
        """Return a number of things that must be at most ``limit``; raise :class:`Undecodable`."""
        number = self.evaluate.integer(expression)
        if not 0 <= number <= limit:
            raise Undecodable(f"{what} is {number}, which is not between 0 and {limit}")
        return number


class DescriptionMismatch(DescriptionError):
    """A description that does not fit the kernel: a misspelt name, an expression that is no C."""


def fault_of(structure: str, error: NotReadable | Undecodable | NoValue) -> DecodeFault:
    """Return what went wrong as a value."""
    if isinstance(error, NotReadable):
        return DecodeFault(structure, error.reason, (error.address,))
    chain = error.chain if isinstance(error, Undecodable) else ()
    return DecodeFault(structure, str(error), chain)
