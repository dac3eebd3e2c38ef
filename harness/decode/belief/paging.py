"""An address space as the page tables map it, and the registers that decide so."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.decode.belief.fault import DecodeFault

FRAME_SIZE = 4096


@dataclass(frozen=True)
class ControlRegisters:
    """What decides how the CPU translates addresses."""

    cr0: int
    cr3: int
    cr4: int
    efer: int = 0
    physical_bits: int | None = None
    """MAXPHYADDR of CPUID (SDM 4.1.4); None: 36, or 40 in long mode, as QEMU's CPUs have it."""


MAPPING = np.dtype(
    [
        ("virtual", "<u8"),  # first byte
        ("physical", "<u8"),
        ("size", "<u8"),  # bytes: one page of this entry's level
        ("writable", "?"),  # effective: every level agrees
        ("user", "?"),
        ("executable", "?"),
        ("global_", "?"),
        ("level", "u1"),  # 1 = page table entry
        ("entry", "<u8"),  # the raw entry
        ("entry_address", "<u8"),  # physical address of the entry
    ],
    align=True,
)
"""One page as the tables map it; :attr:`PageTables.mappings` is an array of these."""


@dataclass(frozen=True, eq=False)
class PageTables:
    """A whole address space; equal to another when the same tables map the same pages."""

    mode: str
    """``none``, ``32-bit``, ``PAE`` or ``4-level``."""
    root: int
    """Physical address of the top table."""
    mappings: npt.NDArray[np.void]
    """dtype :data:`MAPPING`, ascending by virtual address; every level's pages together."""
    tables: npt.NDArray[np.uint64]
    """Physical addresses of every table reached, root first, each once per reference."""
    table_virtual: npt.NDArray[np.uint64]
    """For each of ``tables`` the first virtual address that it translates."""
    faults: tuple[DecodeFault, ...] = ()

    # Arrays have no hash. The checker knows no class that says so itself.
    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PageTables):
            return NotImplemented
        arrays = ("mappings", "tables", "table_virtual")
        same = all(np.array_equal(getattr(self, name), getattr(other, name)) for name in arrays)
        values = (self.mode, self.root, self.faults)
        return same and values == (other.mode, other.root, other.faults)
