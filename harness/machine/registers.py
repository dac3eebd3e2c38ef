"""The CPU's registers, as QEMU's monitor prints them."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields

PAGING = 1 << 31
"""CR0.PG (Intel SDM volume 3, section 2.5)."""
INTERRUPTS = 1 << 9
"""EFLAGS.IF (section 2.3)."""

_NAMES = {"eflags": "EFL", "halted": "HLT"}
_PAIR = re.compile(r"\b([A-Z][A-Z0-9]{1,3}) ?=\s?([0-9a-f]+)\b")


@dataclass(frozen=True)
class Registers:
    """An i386's registers; segment registers hold selectors."""

    eax: int
    ebx: int
    ecx: int
    edx: int
    esi: int
    edi: int
    ebp: int
    esp: int
    eip: int
    eflags: int
    cs: int
    ds: int
    es: int
    fs: int
    gs: int
    ss: int
    cr0: int
    cr2: int
    cr3: int
    cr4: int
    efer: int = 0
    halted: int = 0
    """1 while the CPU waits in ``hlt``."""

    @property
    def paging(self) -> bool:
        """Whether addresses are translated."""
        return bool(self.cr0 & PAGING)

    @property
    def interrupts(self) -> bool:
        """Whether interrupts are let through."""
        return bool(self.eflags & INTERRUPTS)

    def __str__(self) -> str:
        """Return three lines for a report."""
        rows = (
            ("eax", "ebx", "ecx", "edx", "esi", "edi"),
            ("ebp", "esp", "eip", "eflags", "cs", "ss"),
            ("cr0", "cr2", "cr3", "cr4"),
        )
        return "\n".join(
            " ".join(f"{name}={getattr(self, name):08x}" for name in row) for row in rows
        )


def parse_registers(text: str) -> Registers:
    """Read the output of ``info registers``; raise ValueError when a register is missing."""
    found: dict[str, int] = {}
    for name, value in _PAIR.findall(text):
        found.setdefault(name, int(value, 16))
    wanted = {field.name: _NAMES.get(field.name, field.name.upper()) for field in fields(Registers)}
    missing = [name for name in wanted.values() if name not in found]
    if missing:
        raise ValueError(f"no {', '.join(missing)} in QEMU's registers")
    return Registers(**{field: found[name] for field, name in wanted.items()})
