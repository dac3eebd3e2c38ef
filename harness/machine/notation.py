"""Parts of a machine as people type them: sizes, fills, boot paths."""

from __future__ import annotations

import re

from harness.machine.errors import SpecError
from harness.machine.spec import BootPath, Fill, FillKind

DEFAULT_MEMORY = 64 << 20
"""Bytes of RAM of a machine of which nobody says how much it has, nor by a map."""
ALL = "all"
"""Every boot path."""

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def parse_size(text: str) -> int:
    """Return the bytes that a size such as ``64M``, ``3584m``, ``1G`` or ``0x100000`` means.

    Raise :class:`SpecError` for anything else, here and below.
    """
    match = re.fullmatch(r"(0x[0-9a-f]+|\d+)([kmg]?)(i?b)?", text.strip(), re.IGNORECASE)
    if match is None:
        raise SpecError(f"{text!r} is no size; examples: 16M, 1G, 640K, 1048576")
    return int(match[1], 0 if match[1].lower().startswith("0x") else 10) * _UNITS[match[2].upper()]


def parse_fill(text: str) -> Fill:
    """Return the fill that ``zero``, ``poison``, ``random`` or ``random:SEED`` means."""
    kind, _, seed = text.partition(":")
    try:
        return Fill(FillKind(kind), int(seed or "0", 0))
    except ValueError:
        raise SpecError(f"{text!r} is none of zero, poison, random, random:SEED") from None


def parse_boot_path(text: str) -> BootPath:
    """Return the boot path of this name."""
    try:
        return BootPath(text)
    except ValueError:
        raise SpecError(f"{text!r} is none of direct, multiboot, iso") from None


def parse_boot_paths(text: str) -> tuple[BootPath, ...]:
    """Return the boot paths that names separated by commas mean, each once."""
    names = [path.value for path in BootPath] if text == ALL else text.split(",")
    return tuple(dict.fromkeys(parse_boot_path(name) for name in names))
