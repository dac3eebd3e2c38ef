"""What registers a saved guest has, as gdb wants to be told, and their values.

The order and the names of the first ones are gdb's own (``org.gnu.gdb.i386.core``: "Debugging with
GDB", G.5.6 i386 Features). A core has no floating point registers: they are unavailable.
"""

from __future__ import annotations

from harness.machine.registers import Registers
from harness.ram.gdb_stub import I386_REGISTERS

_FLOAT = tuple(f"st{number}" for number in range(8))
_FLOAT_CONTROL = ("fctrl", "fstat", "ftag", "fiseg", "fioff", "foseg", "fooff", "fop")
_SYSTEM = ("cr0", "cr2", "cr3", "cr4", "efer")
_TYPES = {"eip": "code_ptr", "esp": "data_ptr", "ebp": "data_ptr"}


def _description() -> str:
    core = [_register(name, 32, _TYPES.get(name, "int32")) for name in I386_REGISTERS]
    core += [_register(name, 80, "i387_ext") for name in _FLOAT]
    core += [_register(name, 32, "int", ' group="float"') for name in _FLOAT_CONTROL]
    system = [_register(name, 32, "int32") for name in _SYSTEM]
    return "\n".join(
        [
            '<?xml version="1.0"?><!DOCTYPE target SYSTEM "gdb-target.dtd">',
            "<target><architecture>i386</architecture>",
            '<feature name="org.gnu.gdb.i386.core">',
            *core,
            '</feature><feature name="org.mm-harness.i386.system">',
            *system,
            "</feature></target>",
        ]
    )


def _register(name: str, bits: int, kind: str, more: str = "") -> str:
    return f'<reg name="{name}" bitsize="{bits}" type="{kind}"{more}/>'


DESCRIPTION = _description()
"""XML for ``qXfer:features:read:target.xml``."""


def register_packet(registers: Registers) -> bytes:
    """Return the answer to ``g``: each register's bytes in hex, x for what is not known."""

    def known(names: tuple[str, ...]) -> str:
        values = (getattr(registers, name) & 0xFFFFFFFF for name in names)
        return "".join(value.to_bytes(4, "little").hex() for value in values)

    unknown = "x" * (2 * (10 * len(_FLOAT) + 4 * len(_FLOAT_CONTROL)))
    return (known(I386_REGISTERS) + unknown + known(_SYSTEM)).encode()
