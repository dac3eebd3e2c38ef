"""The top page table where a description names it, instead of the one that CR3 points to."""

from __future__ import annotations

from dataclasses import replace

from harness.decode.belief.paging import ControlRegisters
from harness.decode.context import Context
from harness.image.c_type import Kind
from harness.image.schema.layout import PageTables as Description


def registers_at_root(
    context: Context, description: Description, registers: ControlRegisters
) -> ControlRegisters:
    """Return the registers as they are when the described top table is in use.

    An array or a pointer tells its virtual address, a number its physical one. Raise
    ``NotReadable`` or ``ExpressionError``.
    """
    if description.root is None:
        return registers
    found = context.evaluate.locate(description.root)
    number = context.evaluate.integer(description.root)
    if found.type.stripped.kind in (Kind.ARRAY, Kind.STRUCT, Kind.UNION, Kind.POINTER):
        number = context.space.translate(number)
    return replace(registers, cr3=number)
