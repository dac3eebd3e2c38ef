"""A machine as a value: everything that decides how a boot goes."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from harness.image.kernel_image import KernelImage
from harness.maps.memory_map import MemoryMap


class BootPath(Enum):
    """How the kernel gets into memory."""

    DIRECT = "direct"
    """No firmware: the harness leaves in RAM what a boot loader would."""
    MULTIBOOT = "multiboot"
    """QEMU's ``-kernel`` loader under SeaBIOS."""
    ISO = "iso"
    """GRUB on a CD image."""


class FillKind(Enum):
    """What RAM holds at power-on."""

    ZERO = "zero"
    POISON = "poison"
    RANDOM = "random"


@dataclass(frozen=True)
class Fill:
    """Contents of RAM at power-on; ``seed`` matters for ``RANDOM`` only."""

    kind: FillKind = FillKind.POISON
    seed: int = 0


@dataclass(frozen=True)
class Module:
    """A Multiboot module: its contents and its string."""

    data: bytes
    string: str = ""


@dataclass(frozen=True)
class MachineSpec:
    """A kernel on a machine; ``memory`` in bytes, ``map`` None for what the firmware gives.

    On the direct path, which has no firmware, None stands for ``MemoryMap.pc(memory)``.
    """

    kernel: KernelImage
    memory: int
    map: MemoryMap | None = None
    boot: BootPath = BootPath.DIRECT
    cpu: str = "qemu32"
    fill: Fill = field(default_factory=Fill)
    append: str = ""
    modules: tuple[Module, ...] = ()
    icount: bool = False
    firmware: str = "seabios"
    """``seabios`` or ``qboot``; for the multiboot path."""
