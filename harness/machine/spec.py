"""A machine as a value: everything that decides how a boot goes."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from harness.image.kernel_image import KernelImage
from harness.machine.shape import BootInformationShape
from harness.maps.memory_map import MemoryMap


class BootPath(Enum):
    """How the kernel gets into memory."""

    DIRECT = "direct"
    """No firmware: the harness leaves in RAM what a boot loader would."""
    MULTIBOOT = "multiboot"
    """QEMU's ``-kernel`` loader under SeaBIOS or qboot."""
    ISO = "iso"
    """GRUB on a CD image."""


class FillKind(Enum):
    """What RAM holds at power-on."""

    ZERO = "zero"
    POISON = "poison"
    """Each byte is 0xA5. Read as a page table entry it is *present*."""
    RANDOM = "random"
    """Bytes of numpy's PCG64 with ``seed``, repeated after 1021 pages."""


@dataclass(frozen=True)
class Fill:
    """Contents of RAM at power-on; ``seed`` matters for ``RANDOM`` only.

    What is promised, for poison and random: RAM below 64 MiB, and 4 MiB on both sides of each
    border of a usable region and of each of the kernel's zones (that is where allocators start),
    holds the pattern before every boot. Elsewhere a frame is zero until a boot in the same
    process has touched it, and holds the pattern before every later boot. ``everywhere`` fills
    all of RAM, which takes about 0.7 s and 1 GiB of the host's memory a GiB.
    """

    kind: FillKind = FillKind.POISON
    seed: int = 0
    everywhere: bool = False

    def __post_init__(self) -> None:
        """Raise ValueError for a seed that numpy's generator does not take."""
        if self.seed < 0:
            raise ValueError(f"the seed of a fill is not negative, and {self.seed} is")


@dataclass(frozen=True)
class Module:
    """A Multiboot module: its contents and its string."""

    data: bytes = field(repr=False)
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
    shape: BootInformationShape = field(default_factory=BootInformationShape)
    """For the direct path, and for a map chosen on the others."""
    cutmem: tuple[range, ...] = ()
    """Physical bytes that GRUB is told to leave out of its map; for the ISO path."""
