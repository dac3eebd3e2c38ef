"""A paused guest, decoded and checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from harness.check.causes import causes_first
from harness.check.check import examine
from harness.check.contents import check_contents
from harness.check.ledger import Ledger
from harness.check.model import READY, Model
from harness.check.summary import Summary
from harness.check.violation import Violation
from harness.decode.belief.paging import ControlRegisters
from harness.decode.decode import decode
from harness.decode.state import MemoryState
from harness.image.kernel_image import KernelImage
from harness.machine.multiboot import Placement, module_called
from harness.machine.registers import Registers
from harness.maps.memory_map import MemoryMap
from harness.ram.protocol import Ram


@dataclass(frozen=True)
class Inspection:
    """What a guest's memory manager believes, and what is wrong with it."""

    model: Model
    state: MemoryState
    violations: tuple[Violation, ...]
    summary: Summary
    ledger: Ledger


class Inspectable(Protocol):
    """A guest that can be inspected: a paused one, or one that was saved."""

    @property
    def kernel(self) -> KernelImage: ...

    @property
    def ram(self) -> Ram: ...

    @property
    def memory_map(self) -> MemoryMap: ...

    @property
    def placements(self) -> tuple[Placement, ...]: ...

    def registers(self) -> Registers: ...


def model_of(guest: Inspectable) -> Model:
    """Return the model of a guest's machine; nothing of it comes out of the kernel."""
    return Model.of(guest.kernel, guest.memory_map, guest.ram.ranges, guest.placements)


def inspect_guest(guest: Inspectable, moment: str = READY) -> Inspection:
    """Decode and check a paused ``guest`` at a ``moment`` of its kernel's description."""
    model = model_of(guest)
    state = decode(guest.ram, control_registers(guest), guest.kernel, moment)
    found = examine(model, state)
    contents = check_contents(guest.kernel, guest.ram, _kept(guest))
    return Inspection(
        model, state, causes_first((*contents, *found.violations)), found.summary, found.ledger
    )


def _kept(guest: Inspectable) -> list[Placement]:
    """Return what the kernel must keep as the boot loader left it: all but a tape."""
    described = guest.kernel.description.tape
    tape = module_called(guest.placements, described.module) if described else None
    return [placement for placement in guest.placements if placement is not tape]


def control_registers(guest: Inspectable) -> ControlRegisters:
    """Return what decides how a paused guest's CPU translates addresses."""
    registers = guest.registers()
    return ControlRegisters(registers.cr0, registers.cr3, registers.cr4, registers.efer)
