"""Logs as kernels print them, written from the format strings in Linux's source."""

from __future__ import annotations

from harness.maps.memory_map import MemoryMap
from harness.maps.region import Region

HEADING = "BIOS-provided physical RAM map:"


def linux_3(memory_map: MemoryMap) -> str:
    """Linux 3.5 to 6.x, in a log with time stamps: ``[mem %#018Lx-%#018Lx] `` and the type."""
    lines = [f"{HEADING}"]
    lines += [f"BIOS-e820: {_inclusive(entry)} {_type(entry.type)}" for entry in memory_map.entries]
    return "\n".join(f"[    0.000000] {line}" for line in lines)


def linux_6(memory_map: MemoryMap) -> str:
    """Linux since gaps and sizes are shown, quoted in a mail with Windows line ends."""
    lines = [HEADING, "BIOS-e820: [gap 0x0000000000000000-0x0000000000000fff]  4   KB ..."]
    names = {1: "System RAM", 2: "device reserved"}
    lines += [
        f"BIOS-e820: {_inclusive(entry)}  639   KB {names.get(entry.type, _type(entry.type))}"
        for entry in memory_map.entries
    ]
    return "".join(f"> {line}\r\n" for line in lines)


def old_linux(memory_map: MemoryMap) -> str:
    """Linux 2.4, 2.6 in a syslog: ``%016Lx - %016Lx``, the end exclusive, and ``(type)``."""
    lines = [HEADING]
    lines += [
        f" BIOS-e820: {entry.base:016x} - {entry.end:016x} ({_type(entry.type)})"
        for entry in memory_map.entries
    ]
    return "".join(f"May 21 08:00:01 host kernel: {line}\n" for line in lines)


def _inclusive(entry: Region) -> str:
    last = (entry.base + entry.length - 1) % (1 << 64)
    return f"[mem {entry.base:#018x}-{last:#018x}]"


def _type(number: int) -> str:
    names = {1: "usable", 2: "reserved", 3: "ACPI data", 4: "ACPI NVS", 5: "unusable"}
    if number in (7, 12):
        return f"persistent (type {number})"
    return names.get(number, f"type {number}")
