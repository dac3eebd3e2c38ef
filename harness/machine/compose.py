"""Compose what a boot loader leaves in RAM beside the kernel: boot information and modules."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.machine.errors import SpecError
from harness.machine.multiboot import (
    COMMAND_LINE,
    INFORMATION,
    INFORMATION_SIZE,
    LOADER_NAME,
    MEMORY,
    MEMORY_MAP,
    MODULE,
    MODULES,
    Placement,
    build_map,
    memory_sizes,
)
from harness.machine.placer import Placer
from harness.machine.spec import MachineSpec, Module
from harness.maps.memory_map import MemoryMap
from harness.maps.region import FOUR_GIB

LOADER = b"harness\0"


@dataclass(frozen=True)
class Composition:
    """Boot information as bytes at physical addresses."""

    address: int
    """Of the boot information structure: the kernel's EBX."""
    pieces: tuple[tuple[Placement, bytes], ...]


def compose(spec: MachineSpec, memory_map: MemoryMap, placer: Placer) -> Composition:
    """Compose the boot information that tells ``memory_map`` in the form ``spec.shape``."""
    composer = _Composer(spec, placer)
    address = composer.information(memory_map)
    return Composition(address, tuple(composer.pieces))


def command_line(spec: MachineSpec) -> str:
    """Return the kernel's name and its arguments, the same on every path."""
    name = spec.kernel.path.name
    return f"{name} {spec.append}" if spec.append else name


class _Composer:
    """Collects pieces; each method puts something into RAM and returns where."""

    def __init__(self, spec: MachineSpec, placer: Placer) -> None:
        self._spec = spec
        self._placer = placer
        self.pieces: list[tuple[Placement, bytes]] = []

    def _put(self, name: str, data: bytes, address: int | None = None, alignment: int = 8) -> int:
        if address is None:
            address = self._placer.place_low(max(len(data), 1), alignment)
        else:
            self._placer.take(address, len(data))
        self.pieces.append((Placement(name, address, len(data)), data))
        return address

    def information(self, memory_map: MemoryMap) -> int:
        shape = self._spec.shape
        if shape.information_address is not None:
            self._placer.take(shape.information_address, INFORMATION_SIZE)
        for address, module in zip(shape.module_addresses, self._spec.modules, strict=False):
            if address is not None:
                self._placer.take(address, len(module.data))
        fields = INFORMATION.parse(bytes(INFORMATION_SIZE))
        for more in self._fields(memory_map):
            fields.update(more)
        return self._put("boot information", INFORMATION.build(fields), shape.information_address)

    def _fields(self, memory_map: MemoryMap) -> Iterator[dict[str, int]]:
        shape, flags = self._spec.shape, 0
        if shape.memory_map:
            flags |= MEMORY_MAP
            yield self._map(memory_map)
        if shape.memory:
            flags |= MEMORY
            yield self._sizes(memory_map)
        if shape.command_line:
            flags |= COMMAND_LINE
            text = command_line(self._spec).encode() + b"\0"
            yield {"cmdline": self._put("command line", text, shape.command_line_address)}
        if shape.loader_name:
            flags |= LOADER_NAME
            yield {"boot_loader_name": self._put("loader name", LOADER)}
        if self._spec.modules or shape.module_count is not None:
            flags |= MODULES
            yield self._modules()
        yield {"flags": flags}

    def _map(self, memory_map: MemoryMap) -> dict[str, int]:
        shape = self._spec.shape
        data = build_map(memory_map.entries, shape.entry_sizes)
        address = self._put("memory map", data, shape.map_address)
        length = len(data) if shape.map_length is None else shape.map_length
        return {"mmap_addr": address, "mmap_length": length}

    def _sizes(self, memory_map: MemoryMap) -> dict[str, int]:
        shape = self._spec.shape
        lower, upper = memory_sizes(memory_map)
        return {
            "mem_lower": lower if shape.memory_lower is None else shape.memory_lower,
            "mem_upper": upper if shape.memory_upper is None else shape.memory_upper,
        }

    def _modules(self) -> dict[str, int]:
        shape, modules = self._spec.shape, self._spec.modules
        addresses = (*shape.module_addresses, *[None] * len(modules))
        entries = [
            self._module(index, module, addresses[index]) for index, module in enumerate(modules)
        ]
        address = self._put("module list", b"".join(entries), shape.module_list_address)
        count = len(modules) if shape.module_count is None else shape.module_count
        return {"mods_addr": address, "mods_count": count}

    def _module(self, index: int, module: Module, address: int | None) -> bytes:
        """Put the module and its string into RAM; return its element of the list."""
        if address is None:
            address = self._placer.place_high(max(len(module.data), 1))
        self.pieces.append((Placement(f"module {index}", address, len(module.data)), module.data))
        string = 0
        if self._spec.shape.module_strings:
            text = module.string.encode() + b"\0"
            string = self._put(f"module {index}'s string", text, alignment=1)
        end = address + len(module.data)
        if end >= FOUR_GIB:
            raise SpecError(f"module {index} would end at 0x{end:x}, which 32 bits cannot tell")
        fields = {"mod_start": address, "mod_end": end, "string": string}
        return bytes(MODULE.build(fields))
