"""Which of the structures that a kernel's description names are in use in one boot."""

from __future__ import annotations

import dataclasses
from typing import Any

from harness.decode.address_space import AddressSpace, NotReadable
from harness.decode.belief.paging import ControlRegisters
from harness.decode.context import Context
from harness.decode.expression import Evaluator, NoValue
from harness.decode.page_tables import decode_page_tables
from harness.image.description import Description
from harness.image.kernel_image import KernelImage
from harness.ram.protocol import Ram


def description_in_use(ram: Ram, registers: ControlRegisters, kernel: KernelImage) -> Description:
    """Return the kernel's description without the structures that this boot has not chosen.

    It may have ended early: where guest memory does not tell, a structure stays.
    """
    space = AddressSpace(ram, decode_page_tables(ram, registers))
    context = Context(ram, kernel, space, Evaluator(kernel, space))
    description = kernel.description
    changes: dict[str, Any] = {}
    for item in dataclasses.fields(description):
        found = getattr(description, item.name)
        if isinstance(found, tuple):
            changes[item.name] = tuple(one for one in found if _is_chosen(context, one))
        elif not _is_chosen(context, found):
            changes[item.name] = None
    return dataclasses.replace(description, **changes)


def _is_chosen(context: Context, structure: object) -> bool:
    try:
        return context.holds(getattr(structure, "chosen", None), otherwise=True)
    except (NotReadable, NoValue):
        return True
