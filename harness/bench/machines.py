"""Machines to measure."""

from __future__ import annotations

from dataclasses import replace

from harness.image.kernel_image import KernelImage
from harness.machine.layout import IO_APIC
from harness.machine.spec import MachineSpec
from harness.maps.memory_map import MemoryMap
from harness.maps.region import Region

MIB = 1 << 20
MOST = IO_APIC - MIB
"""The most RAM, in bytes, that a PC has without a gap below 4 GiB: up to its first device."""


def without_gap(kernel: KernelImage, memory: int) -> MachineSpec:
    """Return a machine whose RAM is usable from 1 MiB to its end; 4 GiB stands for the most."""
    memory = min(memory, MOST)
    usable = (Region(0, 0x9FC00, 1), Region(MIB, memory - MIB, 1))
    return replace(MachineSpec(kernel, memory), map=MemoryMap(usable))
