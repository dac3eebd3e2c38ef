"""One machine of a campaign: everything that decides how a boot goes, but the kernel."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from harness.image.kernel_image import KernelImage
from harness.machine.boot_direct import given_map
from harness.machine.shape import BootInformationShape
from harness.machine.spec import BootPath, Fill, MachineSpec, Module
from harness.maps.memory_map import MemoryMap
from harness.workload.operation import Flag, Kind
from harness.workload.tape import SLOTS, tape_module

Step = tuple[int, int, int, int, int]
"""One operation of a tape: see :func:`harness.workload.operation.operation`."""

_KINDS = frozenset(Kind)
_FLAGS = int(sum(Flag))


@dataclass(frozen=True)
class Case:
    """A machine without its kernel, and what is done on it once the kernel is ready."""

    memory: int
    """RAM in bytes."""
    map: MemoryMap
    fill: Fill = field(default_factory=Fill)
    append: str = ""
    cpu: str = MachineSpec.cpu
    modules: tuple[Module, ...] = ()
    shape: BootInformationShape = field(default_factory=BootInformationShape)
    boot: BootPath = BootPath.DIRECT
    steps: tuple[Step, ...] = ()
    """A tape's operations, in order."""

    def __post_init__(self) -> None:
        """Raise ValueError for steps that no tape could hold."""
        for number, (kind, flags, cache, slot, size) in enumerate(self.steps):
            if kind not in _KINDS or flags < 0 or flags & ~_FLAGS:
                raise ValueError(f"step {number}: there is no operation {kind} with flags {flags}")
            if not (0 <= cache < 1 << 16 and 0 <= slot < SLOTS and 0 <= size < 1 << 32):
                raise ValueError(f"step {number}: cache {cache}, slot {slot} or size {size}")

    def spec(self, kernel: KernelImage) -> MachineSpec:
        """Return the machine with a kernel; the tape, if there is one, is its last module.

        Raise :class:`harness.image.errors.DescriptionError` for a tape and a kernel that has none.
        """
        tape = (tape_module(kernel, len(self.steps), self._slots()),) if self.steps else ()
        return MachineSpec(
            kernel,
            self.memory,
            map=self.map,
            boot=self.boot,
            cpu=self.cpu,
            fill=self.fill,
            append=self.append,
            modules=(*self.modules, *tape),
            shape=self.shape,
        )

    @classmethod
    def of(cls, spec: MachineSpec) -> Case | None:
        """Return the machine of ``spec``, None for one that a case cannot say.

        Such counts instructions, leaves the map to firmware, or says how GRUB or QEMU are to boot.
        """
        if spec.map is None and spec.boot is not BootPath.DIRECT:
            return None
        said = replace(spec, map=given_map(spec), modules=tuple(spec.modules))
        case = cls(
            said.memory,
            given_map(said),
            *(said.fill, said.append, said.cpu, said.modules, said.shape, said.boot),
        )
        return case if case.spec(said.kernel) == said else None

    def _slots(self) -> int:
        return 1 + max(slot for _, _, _, slot, _ in self.steps)
