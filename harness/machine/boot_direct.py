"""The direct path: RAM as a boot loader would leave it, and a ROM that jumps to the kernel."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

from harness.image.kernel_image import KernelImage
from harness.machine.compose import compose
from harness.machine.errors import SpecError
from harness.machine.guest_memory import GuestMemory
from harness.machine.layout import extents, has_display
from harness.machine.multiboot import BootInformation, read_information
from harness.machine.placer import Placer
from harness.machine.qemu import DISPLAY, Extra, path_of
from harness.machine.rom import MAILBOX_CANDIDATES, MAILBOX_SIZE, direct_boot_rom
from harness.machine.spec import MachineSpec
from harness.machine.vm import Vm
from harness.maps.memory_map import MemoryMap
from harness.ram.live import Extent
from harness.ram.protocol import Ram


@dataclass
class DirectBoot:
    """What is in RAM before the first instruction, apart from the fill; for many boots."""

    spec: MachineSpec
    pieces: tuple[tuple[int, bytes], ...]
    """Physical address and contents, in the order of writing."""
    address: int
    """Of the boot information."""
    borders: tuple[int, ...]
    """Physical addresses around which allocators start."""
    _information: BootInformation | None = None

    def information(self, ram: Ram) -> BootInformation:
        """Return what the kernel will read in ``ram``; it is the same at each boot."""
        if self._information is None:
            self._information = read_information(ram, self.address)
        return self._information


def given_map(spec: MachineSpec) -> MemoryMap:
    """Return the map that the kernel is told: the chosen one, or a plain PC's."""
    return spec.map if spec.map is not None else MemoryMap.pc(spec.memory)


def start_vm(spec: MachineSpec, extra: Extra | None = None) -> Vm:
    """Start QEMU with the kernel's ROM; RAM is empty."""
    extra = extra or Extra()
    rom = os.memfd_create("direct-boot-rom")
    try:
        display = has_display(spec)
        os.write(rom, direct_boot_rom(spec.kernel.entry, mailbox(spec.kernel), display))
        memory = GuestMemory(spec.memory)
        arguments = ["-bios", path_of(rom), *(DISPLAY if display else ())]
        arguments += extra.given(memory.descriptor)
        return Vm(spec, memory, arguments, [rom, *extra.descriptors])
    finally:
        os.close(rom)


def mailbox(kernel: KernelImage) -> int:
    """Return a place in conventional memory where no part of the kernel is."""
    for start in MAILBOX_CANDIDATES:
        slot = range(start, start + MAILBOX_SIZE)
        if not any(_overlap(slot, part) for part in _parts(kernel)):
            return start
    raise SpecError("the kernel covers all of conventional memory: boot it by another path")


def _parts(kernel: KernelImage) -> list[range]:
    return [range(s.physical, s.physical + s.memory_size) for s in kernel.segments]


def _overlap(one: range, other: range) -> bool:
    return one.start < other.stop and other.start < one.stop


_latest: DirectBoot | None = None


def prepare(spec: MachineSpec) -> DirectBoot:
    """Compose everything that a boot loader would leave in RAM; of the same machine only once."""
    global _latest
    latest = _latest
    if latest is None or latest.spec is not spec:
        latest = _latest = _prepare(spec)
    return latest


def _prepare(spec: MachineSpec) -> DirectBoot:
    memory_map = given_map(spec)
    ram = [range(extent.start, extent.end) for extent in extents(spec)]
    placer = Placer(memory_map, ram, spec.kernel.image_range())
    slot = mailbox(spec.kernel)
    placer.take(slot, MAILBOX_SIZE)
    composition = compose(spec, memory_map, placer)
    pieces = [
        (segment.physical, segment.data.ljust(segment.memory_size, b"\0"))
        for segment in spec.kernel.segments
    ]
    pieces += [(placement.start, data) for placement, data in composition.pieces]
    pieces.append((slot, composition.address.to_bytes(4, "little")))
    return DirectBoot(spec, tuple(pieces), composition.address, borders(spec, memory_map))


def borders(spec: MachineSpec, memory_map: MemoryMap) -> tuple[int, ...]:
    """Return the physical addresses around which allocators start: of regions and zones."""
    regions = memory_map.usable_regions()
    found = {border for region in regions for border in (region.base, region.end)}
    found.update(zone.end for zone in spec.kernel.description.zones)
    return tuple(sorted(border for border in found if border < 1 << 32))


def load(vm: Vm, boot: DirectBoot, again: bool) -> None:
    """Make RAM what it is at the kernel's entry; ``again`` after an earlier boot of this VM."""
    places = extents(boot.spec)
    vm.memory.renew(boot.spec.fill, boot.borders, vm.process.pid if again else None)
    for address, data in boot.pieces:
        for start, part in _inside(address, data, places):
            vm.memory.write(start, part)
    if has_display(boot.spec):
        # The mailbox comes last, and the ROM takes the address out of it when all else is done.
        vm.until_blanked = boot.pieces[-1]


def _inside(address: int, data: bytes, places: Iterable[Extent]) -> Iterable[tuple[int, bytes]]:
    """Yield (file offset, bytes) for what of ``data`` falls on RAM; the rest is lost."""
    for place in places:
        start, end = max(address, place.start), min(address + len(data), place.end)
        if start < end:
            yield start - place.start + place.offset, data[start - address : end - address]
