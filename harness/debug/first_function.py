"""Where a kernel's C begins: what stops a person's debugger by default."""

from __future__ import annotations

from pathlib import PurePosixPath

from harness.image.kernel_image import KernelImage
from harness.machine.guest import Guest

_C_FILES = frozenset({".c", ".cc", ".cpp", ".cxx", ".h", ".hpp"})


def c_functions(kernel: KernelImage) -> tuple[int, ...]:
    """Return the virtual address of every function whose code comes from a C or C++ file.

    By the debug information; without it there is none.
    """
    table = kernel.lines.table
    places = ((address, table.find(address)) for address, _, _ in kernel.symbol_table.functions)
    return tuple(
        address for address, place in places if place and PurePosixPath(place[0]).suffix in _C_FILES
    )


def stop_at_first_c_function(guest: Guest) -> bool:
    """Run a guest that was just booted to the first C function that it enters, and pause there.

    Return whether there is any to wait for. Raise :class:`harness.machine.errors.GuestEnded`.
    """
    functions = c_functions(guest.kernel)
    if functions:
        guest.stop_at(functions)
    return bool(functions)
