"""Give a kernel that firmware has loaded another map or line, before its first instruction."""

from __future__ import annotations

from harness.machine.boot_direct import given_map
from harness.machine.compose import command_line
from harness.machine.layout import extents
from harness.machine.multiboot import (
    COMMAND_LINE,
    INFORMATION,
    INFORMATION_SIZE,
    MEMORY,
    MEMORY_MAP,
    build_map,
    memory_sizes,
    read_information,
)
from harness.machine.placer import Placer
from harness.machine.spec import MachineSpec
from harness.maps.memory_map import MemoryMap
from harness.ram.protocol import Ram


def rewrite_map(ram: Ram, address: int, spec: MachineSpec) -> None:
    """Replace the map in the boot information at physical ``address`` by ``spec.map``.

    The loader's map stays where it is when the new one fits into its place, as long as the shape
    names no other; everything else stays as the loader left it.
    """
    assert spec.map is not None
    head = INFORMATION.parse(ram.read(address, INFORMATION_SIZE))
    data = build_map(spec.map.entries, spec.shape.entry_sizes)
    place = spec.shape.map_address
    if place is None:
        fits = head.flags & MEMORY_MAP and len(data) <= head.mmap_length
        place = head.mmap_addr if fits else _new_place(ram, address, spec, spec.map, len(data))
    ram.write(place, data)
    length = spec.shape.map_length
    lower, upper = memory_sizes(spec.map)
    changes = {
        "flags": _flags(head.flags, spec),
        "mmap_addr": place,
        "mmap_length": len(data) if length is None else length,
        "mem_lower": lower if spec.shape.memory_lower is None else spec.shape.memory_lower,
        "mem_upper": upper if spec.shape.memory_upper is None else spec.shape.memory_upper,
    }
    ram.write(address, INFORMATION.build({**head, **changes}))


def rewrite_command_line(ram: Ram, address: int, spec: MachineSpec) -> None:
    """Let the boot information at physical ``address`` tell the line of the direct path.

    GRUB puts backslashes before quotes and backslashes, and QEMU tells the kernel's whole path.
    What the loader wrote is then longer, and the line stays in its place.
    """
    head = INFORMATION.parse(ram.read(address, INFORMATION_SIZE))
    line = command_line(spec).encode()
    place, flags = head.cmdline, head.flags | COMMAND_LINE
    if not head.flags & COMMAND_LINE or 0 in ram.read(place, len(line)):
        place = _new_place(ram, address, spec, given_map(spec), len(line) + 1)
    ram.write(place, line + b"\0")
    ram.write(address, INFORMATION.build({**head, "cmdline": place, "flags": flags}))


def _flags(flags: int, spec: MachineSpec) -> int:
    """Return the loader's flags with those about memory as the shape says."""
    flags &= ~(MEMORY | MEMORY_MAP)
    return flags | MEMORY * spec.shape.memory | MEMORY_MAP * spec.shape.memory_map


def _new_place(ram: Ram, address: int, spec: MachineSpec, new: MemoryMap, length: int) -> int:
    """Return a place that neither the kernel nor the loader uses."""
    places = [range(extent.start, extent.end) for extent in extents(spec)]
    placer = Placer(new, places, spec.kernel.image_range())
    for placement in read_information(ram, address).placements:
        placer.take(placement.start, placement.length)
    return placer.place_low(length)
