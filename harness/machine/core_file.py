"""A paused guest in one file: an ELF core, with notes that tell what it was a machine of.

The notes hold the kernel's ELF and its description as they were, so that the core can be read when
both have changed.
"""

from __future__ import annotations

import dataclasses
import json
import struct
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path
from typing import Any

from harness.machine.layout import extents
from harness.machine.multiboot import BootInformation
from harness.machine.registers import Registers
from harness.machine.spec import MachineSpec
from harness.machine.spec_json import spec_json
from harness.machine.vm import Vm
from harness.machine.whole_file import whole_file
from harness.maps.json_form import to_json
from harness.maps.memory_map import MemoryMap
from harness.ram.core_notes import Note
from harness.ram.core_writer import write_core

OWNER = "mm-harness"
_PRSTATUS = 1
_STATUS = (
    *("ebx", "ecx", "edx", "esi", "edi", "ebp", "eax", "ds", "es", "fs", "gs"),
    *("eax", "eip", "cs", "eflags", "esp", "ss"),
)
"""The order of ``user_regs_struct``; its ``orig_eax`` is of no use here."""
FORMAT = 1
"""Of the JSON; another number means that an older program cannot read it."""


class NoteType(IntEnum):
    """Types of this owner's notes."""

    GUEST = 1
    """JSON."""
    KERNEL = 2
    """The ELF."""
    DESCRIPTION = 3
    """The text of its ``harness.toml``."""
    PLACEMENT = 4
    """What the loader left at one placement; as many, and in the same order, as there are."""


def save_core(
    path: Path, vm: Vm, spec: MachineSpec, information: BootInformation | None, moment: str
) -> None:
    """Write a paused guest to ``path``, which is there whole or not at all.

    Raise ``OSError``, and :class:`harness.machine.errors.QemuFailed` when QEMU is gone.
    """
    notes = list(_notes(spec, information, vm, moment))
    with whole_file(path, buffering=0) as file:
        write_core(file, vm.memory.descriptor, extents(spec), notes)


def _status(registers: Registers) -> Note:
    """Return the registers as debuggers find them: ``elf_prstatus`` of Linux on i386."""
    values = [getattr(registers, name) for name in _STATUS]
    return Note("CORE", _PRSTATUS, struct.pack("<72x17I4x", *values))


def _notes(
    spec: MachineSpec, information: BootInformation | None, vm: Vm, moment: str
) -> Iterator[Note]:
    placements = information.placements if information else ()
    registers = vm.registers()
    document = _document(spec, information, vm, moment, registers)
    yield _status(registers)
    yield Note(OWNER, NoteType.GUEST, json.dumps(document, indent=1).encode())
    yield Note(OWNER, NoteType.KERNEL, spec.kernel.contents)
    described = spec.kernel.description.path
    if described is not None:
        yield Note(OWNER, NoteType.DESCRIPTION, described.read_bytes())
    for placement in placements:
        yield Note(OWNER, NoteType.PLACEMENT, placement.data)


def _document(
    spec: MachineSpec,
    information: BootInformation | None,
    vm: Vm,
    moment: str,
    registers: Registers,
) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "moment": moment,
        "registers": dataclasses.asdict(registers),
        "map": to_json(information.memory_map if information else MemoryMap(())),
        "placements": [
            {"name": one.name, "start": one.start, "length": one.length}
            for one in (information.placements if information else ())
        ],
        "machine": spec_json(spec),
    }
