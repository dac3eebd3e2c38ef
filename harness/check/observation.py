"""A paused guest, and what has been found out about it; each part when it is first wanted."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from harness.check.inspect import Inspectable, Inspection, control_registers, inspect_guest
from harness.check.model import READY
from harness.decode.address_space import AddressSpace, NotReadable
from harness.decode.belief.paging import ControlRegisters, PageTables
from harness.decode.c_syntax import ExpressionError, NoValue
from harness.decode.expression import Evaluator
from harness.decode.page_tables import decode_page_tables
from harness.decode.state import MemoryState
from harness.image.kernel_image import KernelImage
from harness.machine.registers import Registers

_REGISTER = re.compile(r"\$([A-Za-z]\w*)")


class NotToBeSeen(Exception):
    """Something asked of a guest that it does not have; the message is a sentence."""


@dataclass(frozen=True)
class Observation:
    """One guest at one moment. It must not run as long as this is used."""

    guest: Inspectable
    moment: str = READY
    note: str = ""
    """What a reader should know of the moment, in a sentence."""
    past: Callable[[str | None], MemoryState] | None = None
    """Returns a state of the past by its name, None: the last one; raises."""

    @property
    def kernel(self) -> KernelImage:
        """The guest's kernel."""
        return self.guest.kernel

    @cached_property
    def registers(self) -> Registers:
        """The CPU's registers."""
        return self.guest.registers()

    @cached_property
    def control(self) -> ControlRegisters:
        """What decides how the CPU translates addresses."""
        return control_registers(self.guest)

    @cached_property
    def tables(self) -> PageTables:
        """The address space that CR3 holds, whatever the description says of its root."""
        return decode_page_tables(self.guest.ram, self.control)

    @cached_property
    def space(self) -> AddressSpace:
        """Virtual memory as the CPU sees it."""
        return AddressSpace(self.guest.ram, self.tables)

    @cached_property
    def inspection(self) -> Inspection:
        """Everything decoded and checked.

        Raise :class:`harness.decode.context.DescriptionMismatch` for a description of another
        kernel.
        """
        return inspect_guest(self.guest, self.moment)

    @property
    def state(self) -> MemoryState:
        """What the memory manager believes; raises like :attr:`inspection`."""
        return self.inspection.state

    def earlier(self, name: str | None) -> MemoryState:
        """Return a state of the past by its name, None: the last one.

        Raise :class:`NotToBeSeen` when there is no such one.
        """
        if self.past is None:
            raise NotToBeSeen("there is no earlier state of this guest to compare with")
        return self.past(name)

    def value(self, expression: str) -> int:
        """Return what a C expression over guest memory is worth, as an address.

        ``$eax`` is a register. A structure, an array or a function is its virtual address. Raise
        :class:`NotToBeSeen`.
        """
        text = _REGISTER.sub(self._register, expression)
        try:
            found = Evaluator(self.kernel, self.space).integer(text)
        except (ExpressionError, NoValue, NotReadable) as error:
            raise NotToBeSeen(f"{expression!r} is no address here: {error}") from None
        return found % (1 << 32) if -(1 << 31) <= found < 0 else found

    def _register(self, found: re.Match[str]) -> str:
        value = getattr(self.registers, found[1].lower(), None)
        if not isinstance(value, int):
            raise NotToBeSeen(f"there is no register ${found[1]}")
        return f"{value:#x}"
