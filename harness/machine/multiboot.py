"""Multiboot boot information: its structures, and how to read them out of guest RAM.

Source: Multiboot specification 0.6.96, section 3.3. All numbers are little-endian u32 unless said
otherwise; all addresses are physical.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from construct import Int32ul, Padding, Struct

from harness.maps.memory_map import MemoryMap
from harness.maps.region import Region
from harness.ram.protocol import AbsentMemory, Ram

MEMORY, COMMAND_LINE, MODULES, MEMORY_MAP, LOADER_NAME = 1 << 0, 1 << 2, 1 << 3, 1 << 6, 1 << 9
"""Bits of ``flags``: which other fields are valid."""

# Compiled, they take a quarter of the time.

INFORMATION = Struct(
    "flags" / Int32ul,
    "mem_lower" / Int32ul,  # KiB from 0, at most 640
    "mem_upper" / Int32ul,  # KiB from 1 MiB up to the first hole
    "boot_device" / Int32ul,
    "cmdline" / Int32ul,
    "mods_count" / Int32ul,
    "mods_addr" / Int32ul,
    "syms" / Int32ul[4],
    "mmap_length" / Int32ul,  # bytes
    "mmap_addr" / Int32ul,
    "drives_length" / Int32ul,
    "drives_addr" / Int32ul,
    "config_table" / Int32ul,
    "boot_loader_name" / Int32ul,
    "apm_table" / Int32ul,
).compile()
"""The boot information up to the VBE and framebuffer fields, which no flag here makes valid."""

MAP_ENTRY = struct.Struct("<IQQI")
"""A map entry: u32 ``size``, u64 base, u64 length, u32 type. ``size`` counts what follows it: at
least 20 bytes, and more may come behind the type."""

MODULE = Struct(
    "mod_start" / Int32ul, "mod_end" / Int32ul, "string" / Int32ul, Padding(4)
).compile()
"""An element of the module list; ``mod_end`` is the first byte behind the module."""


INFORMATION_SIZE, ENTRY_SIZE, MODULE_SIZE = INFORMATION.sizeof(), MAP_ENTRY.size, MODULE.sizeof()
"""In bytes."""
_SIZE_FIELD = 4

MAX_STRING = 4096
MAX_MAP = 1 << 20
MAX_MODULES = 4096
MAX_KEPT = 256 << 20
"""Bounds in bytes and elements beyond which nothing is read: the claims may be hostile."""


@dataclass(frozen=True)
class Placement:
    """``length`` bytes at physical ``start`` that a loader put there for the kernel."""

    name: str
    start: int
    length: int
    data: bytes = field(default=b"", repr=False, compare=False)
    """What was there when the boot information was read; empty where that is not all RAM."""


@dataclass(frozen=True)
class BootInformation:
    """What a kernel was told, as it stands in RAM."""

    flags: int
    memory_lower: int
    """KiB from 0, if bit 0 of the flags is set."""
    memory_upper: int
    """KiB from 1 MiB, if bit 0 of the flags is set."""
    command_line: str
    memory_map: MemoryMap
    """The map; made of the two sizes if there is none, empty if there are none either."""
    placements: tuple[Placement, ...] = field(default=())


def read_information(ram: Ram, address: int) -> BootInformation:
    """Return the boot information at physical ``address``; raise :class:`AbsentMemory`."""
    head = INFORMATION.parse(ram.read(address, INFORMATION_SIZE))
    placements = [Placement("boot information", address, INFORMATION_SIZE)]
    command_line = ""
    if head.flags & COMMAND_LINE:
        command_line = _string(ram, head.cmdline, "command line", placements)
    if head.flags & LOADER_NAME:
        _string(ram, head.boot_loader_name, "loader name", placements)
    if head.flags & MODULES:
        _modules(ram, head.mods_addr, head.mods_count, placements)
    entries: tuple[Region, ...] = ()
    if head.flags & MEMORY_MAP:
        entries = tuple(_entries(ram, head.mmap_addr, head.mmap_length))
        placements.append(Placement("memory map", head.mmap_addr, head.mmap_length))
    elif head.flags & MEMORY:
        entries = (Region(0, head.mem_lower << 10, 1), Region(1 << 20, head.mem_upper << 10, 1))
    return BootInformation(
        flags=head.flags,
        memory_lower=head.mem_lower,
        memory_upper=head.mem_upper,
        command_line=command_line,
        memory_map=MemoryMap(entries, name="boot information"),
        placements=tuple(_filled(ram, placement) for placement in placements if placement.length),
    )


def module_called(placements: Iterable[Placement], word: str) -> Placement | None:
    """Return the first module whose string ends with ``word``; loaders may put more in front."""
    by_name = {placement.name: placement for placement in placements}
    for name, placement in by_name.items():
        text = by_name.get(f"{name}'s string")
        words = text.data.rstrip(b"\0").split(b" ") if text is not None else []
        if words and words[-1] == word.encode():
            return placement
    return None


def _filled(ram: Ram, placement: Placement) -> Placement:
    """Return the placement with the bytes that are there now."""
    if placement.length > MAX_KEPT:
        return placement
    try:
        return replace(placement, data=ram.read(placement.start, placement.length))
    except AbsentMemory:
        return placement


def _string(ram: Ram, address: int, name: str, placements: list[Placement]) -> str:
    """Return the zero-terminated string at ``address`` and note where it is."""
    data = bytearray()
    while len(data) < MAX_STRING:
        try:
            # Not across a page's end at once: the next page may not be RAM.
            data += ram.read(address + len(data), 64 - (address + len(data)) % 64)
        except AbsentMemory:
            break
        if 0 in data:
            break
    length = data.index(0) if 0 in data else len(data)
    placements.append(Placement(name, address, min(length + 1, max(len(data), 1))))
    return data[:length].decode("utf-8", "replace")


def _modules(ram: Ram, address: int, count: int, placements: list[Placement]) -> None:
    size = MODULE_SIZE
    placements.append(Placement("module list", address, min(count, MAX_MODULES) * size))
    for index in range(min(count, MAX_MODULES)):
        try:
            module = MODULE.parse(ram.read(address + index * size, size))
        except AbsentMemory:
            return
        length = max(module.mod_end - module.mod_start, 0)
        placements.append(Placement(f"module {index}", module.mod_start, length))
        if module.string:
            _string(ram, module.string, f"module {index}'s string", placements)


def _entries(ram: Ram, address: int, length: int) -> Iterator[Region]:
    """Yield the map's entries; a last one that is cut short does not count."""
    position, end = address, address + min(length, MAX_MAP)
    while position + ENTRY_SIZE <= end:
        try:
            size, *region = MAP_ENTRY.unpack(ram.read(position, ENTRY_SIZE))
        except AbsentMemory:
            return
        following = position + _SIZE_FIELD + size
        if following > end or following < position + ENTRY_SIZE:
            return
        yield Region(*region)
        position = following


def build_map(entries: tuple[Region, ...], sizes: tuple[int, ...]) -> bytes:
    """Return the map's bytes; ``sizes`` are the entries' ``size`` fields, in turn."""
    pieces = []
    for index, region in enumerate(entries):
        size = sizes[index % len(sizes)]
        entry = MAP_ENTRY.pack(size, region.base, region.length, region.type)
        pieces.append(entry + bytes(_SIZE_FIELD + size - ENTRY_SIZE))
    return b"".join(pieces)


def memory_sizes(memory_map: MemoryMap) -> tuple[int, int]:
    """Return ``mem_lower`` and ``mem_upper`` in KiB: usable from 0, and from 1 MiB, to a hole."""
    lower = upper = 0
    for region in memory_map.usable_regions():
        if region.base == 0:
            lower = min(region.end, 640 << 10) >> 10
        if region.contains(1 << 20):
            upper = min(region.end, 1 << 32) - (1 << 20) >> 10
    return lower, upper
