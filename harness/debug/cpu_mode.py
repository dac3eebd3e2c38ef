"""In which mode a CPU executes: what gdb must know, and cannot tell, of its code."""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.machine.registers import PAGING, parse_registers

_CODE_SEGMENT = re.compile(r"^CS =[0-9a-f]+ ([0-9a-f]+) [0-9a-f]+ ([0-9a-f]+)", re.MULTILINE)
_PROTECTED = 1
"""CR0.PE (Intel SDM volume 3, section 2.5)."""
_DEFAULT_32 = 1 << 22
"""The D flag in the second word of a code segment's descriptor (section 3.4.5)."""


@dataclass(frozen=True)
class CpuMode:
    """How a CPU reads its instructions now."""

    protected: bool
    """False in real mode."""
    paging: bool
    code_16: bool
    """Whether instructions are 16-bit: in real mode, and in segments that say so."""
    code_base: int
    """Linear address of the code segment's first byte; 0 in a flat one."""
    instruction: int
    """Linear address of the next instruction: the base and EIP."""

    @property
    def flat(self) -> bool:
        """Whether EIP is a linear address, as gdb believes it always is."""
        return self.code_base == 0


def parse_cpu_mode(text: str) -> CpuMode:
    """Read the output of QEMU's ``info registers``; raise ValueError where it is another."""
    registers = parse_registers(text)
    found = _CODE_SEGMENT.search(text)
    if found is None:
        raise ValueError("no code segment in QEMU's registers")
    base, flags = (int(word, 16) for word in found.groups())
    return CpuMode(
        protected=bool(registers.cr0 & _PROTECTED),
        paging=bool(registers.cr0 & PAGING),
        code_16=not flags & _DEFAULT_32,
        code_base=base,
        instruction=(base + registers.eip) % (1 << 32),
    )
