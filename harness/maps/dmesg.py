"""Memory maps in a kernel's log, as it is pasted into bug reports.

Linux has printed the firmware's map in these forms (``arch/x86/kernel/e820.c``, before 2.6.24
``arch/i386/kernel/setup.c``), and Xen in its own::

    BIOS-e820: [mem 0x0000000000000000-0x000000000009fbff] usable    the last byte belongs to it
    BIOS-e820: [mem 0x0000000000000000-0x000000000009fbff]  639   KB System RAM
    BIOS-e820: 0000000000000000 - 000000000009fc00 (usable)          the end does not
    BIOS-e820: 000000000009fc00 @ 0000000000000000 (usable)          LENGTH @ BASE
    (XEN)  [0000000000000000, 000000000009fbff] (usable)             the last byte belongs to it

Time stamps, syslog prefixes, quoting, Windows line ends and all other lines are passed over. A log
usually shows several maps: what the firmware said (``BIOS-e820``, ``BIOS-e801``, ``BIOS-88``) and
what the kernel made of it (``modified``, ``user``, …). If there is one of the first kind, only
those are taken; otherwise each of the others is a map with its label as its name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from harness.maps.memory_map import MemoryMap
from harness.maps.region import ADDRESS_SPACE, Region
from harness.maps.syntax import MapSyntaxError, region_from_to

SOFT_RESERVED = 0xEFFFFFFF
"""Linux's own type for memory that the firmware set aside for a driver (``asm/e820/types.h``)."""

_TYPES = {
    "usable": 1,
    "system ram": 1,
    "kernel usable ram": 1,
    "reserved": 2,
    "device reserved": 2,
    "acpi data": 3,
    "acpi nvs": 4,
    "unusable": 5,
    "soft reserved": SOFT_RESERVED,
}

_HEX = r"(?:0x)?([0-9a-f]{1,16})"
_RANGE = re.compile(
    rf"\[mem\s+{_HEX}-{_HEX}\]"  # [mem 0x0-0x9fbff]
    rf"|\[{_HEX},\s*{_HEX}\]"  # Xen: [0, 9fbff]
    rf"|(?<!\S){_HEX}\s+-\s+{_HEX}(?=\s*\()"  # 0 - 9fc00 (usable)
    rf"|(?<!\S){_HEX}\s+@\s+{_HEX}(?=\s*\()",  # 9fc00 @ 0 (usable)
    re.IGNORECASE,
)
_SIZE = re.compile(r"\s*[0-9.]+\s+[KMGTP]?B\s", re.IGNORECASE)
_NUMBERED = re.compile(r"(?:persistent(?: ram)? \()?type ([0-9]{1,10})\)?")
_BIOS_LABEL = re.compile(r"\b(BIOS-(?:e820|e801|88))\s*:\s*$", re.IGNORECASE)
_LABEL = re.compile(r"(?:^|[\s:\])>|])([a-z][\w.-]*(?: [a-z][\w.-]*)?)\s*:\s*$", re.IGNORECASE)
_LABEL_REACH = 48
_ONLY_PREFIX = re.compile(r"(?:[\s>|]|\[\s*[0-9.]+\]|<[0-9]>|\(XEN\)|kernel:)*")
_FIRMWARE = re.compile(r"BIOS-(?:e820|e801|88)\s*:[ \t]*(?=$|\[(?!gap)|[0-9])", re.IGNORECASE)
_HEADING = "BIOS-provided physical RAM map"


@dataclass
class _Log:
    """The entries found so far, by the boot (counted by headings) and the label of a line."""

    boot: int = 0
    found: dict[tuple[int, str], list[Region]] = field(default_factory=dict)

    def maps(self) -> list[MemoryMap]:
        """Return the firmware's maps, or else all others; what a later boot repeats, once."""
        firmware = {key: found for key, found in self.found.items() if _is_firmware(key[1])}
        maps = [
            MemoryMap(tuple(entries), name="" if _is_firmware(label) else label)
            for (_, label), entries in (firmware or self.found).items()
        ]
        return list(dict.fromkeys(maps))


def parse_dmesg(text: str, filename: str) -> list[MemoryMap]:
    """Return the maps in the log; none when no line shows one.

    Raise :class:`MapSyntaxError` for a line of the firmware's map that is damaged: a map without
    it would be another machine's.
    """
    log = _Log()
    for line_number, line in enumerate(text.split("\n"), 1):
        line = line.rstrip()
        if _HEADING in line:
            log.boot += 1
        try:
            entry = _entry(line)
        except ValueError as error:
            column = _damaged_column(line)
            raise MapSyntaxError(filename, line_number, column, str(error)) from None
        if entry:
            label, region = entry
            log.found.setdefault((log.boot, label), []).append(region)
    return log.maps()


def _entry(line: str) -> tuple[str, Region] | None:
    """Return the label and region that a line shows, or None; raise ValueError when damaged."""
    found = _RANGE.search(line)
    label = _label(line[: found.start()]) if found else None
    type_ = _type(line[found.end() :]) if found else None
    if found is None or label is None or type_ is None:
        if _FIRMWARE.search(line):
            raise ValueError('expected a range and a type, such as "[mem 0x0-0x9fbff] usable"')
        return None
    return label, _region(found, type_)


def _label(prefix: str) -> str | None:
    """Return the label before a range; empty if there is none, None if other words stand there."""
    near = prefix[-_LABEL_REACH:]
    found = _BIOS_LABEL.search(near) or _LABEL.search(near)
    if found:
        return "" if found[1].lower().endswith("kernel") else found[1]
    return "" if _ONLY_PREFIX.fullmatch(prefix) else None


def _is_firmware(label: str) -> bool:
    return label.lower().startswith("bios-")


def _type(rest: str) -> int | None:
    """Return the number of the type that stands behind a range."""
    size = _SIZE.match(rest)
    words = " ".join(rest[size.end() if size else 0 :].lower().split())
    if words.startswith("(") and words.endswith(")"):
        words = words[1:-1]
    numbered = _NUMBERED.fullmatch(words)
    return int(numbered[1]) if numbered else _TYPES.get(words)


def _region(found: re.Match[str], type_: int) -> Region:
    """Return the region of a match of ``_RANGE``; raise ValueError where it ends too early.

    The last byte of an entry without length is base - 1: for base 0, it is printed as 2**64 - 1.
    """
    a, b = (int(digits, 16) for digits in found.groups() if digits is not None)
    if "@" in found[0]:
        return Region(b, a, type_)
    if found[0].startswith("[") and (a, b + 1) == (0, ADDRESS_SPACE):
        return Region(0, 0, type_)
    if found[0].startswith("["):
        return region_from_to(a, b + 1, type_)
    return region_from_to(a, b, type_)


def _damaged_column(line: str) -> int:
    """Return the column, from 1, at which the range stands or should stand."""
    label = _FIRMWARE.search(line)
    found = _RANGE.search(line)
    if label:
        return label.end() + 1
    return found.start() + 1 if found else 1
