"""The x86 paging modes as tables of constants: the only place that knows an entry's bits.

Source: Intel 64 and IA-32 Architectures Software Developer's Manual (SDM), volume 3A, chapter 4;
section and table numbers stand beside each mode. Assumed of the CPU, since no control register
says it: page attribute table (so PAT bits are not reserved), 1 GiB pages in 4-level paging,
and PSE-36 where the physical address is wider than 32 bits.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.decode.belief.paging import ControlRegisters

CR0_PG = 1 << 31
CR4_PSE = 1 << 4
CR4_PAE = 1 << 5
CR4_PGE = 1 << 7
EFER_LME = 1 << 8
EFER_NXE = 1 << 11

PRESENT = 1 << 0
WRITABLE = 1 << 1
USER = 1 << 2
ACCESSED = 1 << 5
DIRTY = 1 << 6
LARGE = 1 << 7
GLOBAL = 1 << 8
NO_EXECUTE = 1 << 63


_LEVELS = ("PTE", "PDE", "PDPTE", "PML4E")
"""Names of an entry of each level, from 1: SDM 4.2."""

_BITS = {1: "R/W", 2: "U/S", 3: "PWT", 4: "PCD", 5: "A", 6: "D", 7: "PS", 8: "G", 63: "XD"}
"""Names of the bits of entries that map pages: SDM tables 4-4 to 4-20."""


@dataclass(frozen=True)
class EntryFormat:
    """What an entry's bits mean once it is known to map a page or to refer to a table.

    The address is ``entry & address``, and for PSE-36 ``(entry & high) << high_shift`` with it.
    """

    address: int
    reserved: int
    high: int = 0
    high_shift: int = 0


@dataclass(frozen=True)
class Level:
    """One level of tables; the index is bits ``shift`` … ``shift + bits - 1`` of the address.

    With both formats, bit 7 (PS) tells a page from a table.
    """

    number: int
    """1 for the page table."""
    shift: int
    bits: int
    table: EntryFormat | None
    page: EntryFormat | None
    rights: bool = True
    """Whether its entries have R/W, U/S and XD bits."""

    @property
    def entry_name(self) -> str:
        """What the manual calls an entry of this level."""
        return _LEVELS[self.number - 1]

    @property
    def entries(self) -> int:
        """Number of entries in a table."""
        return 1 << self.bits

    @property
    def page_size(self) -> int:
        """Bytes that one entry translates."""
        return 1 << self.shift


@dataclass(frozen=True)
class PagingMode:
    """A paging mode: its levels, root first."""

    name: str
    entry_size: int
    """In bytes."""
    root: int
    """Mask of CR3 that gives the root table's physical address."""
    levels: tuple[Level, ...]
    address_bits: int
    """Width of a virtual address; wider ones are the sign extension (canonical)."""
    no_execute: bool = False
    """Whether bit 63 (XD) takes the right to execute away."""


def bits(high: int, low: int) -> int:
    """Return a mask of bits ``high`` … ``low``, both inclusive; 0 if there are none."""
    return ((1 << (high + 1)) - 1) & ~((1 << low) - 1) if high >= low else 0


def bit_names(mask: int) -> str:
    """Name the bits of a mask, such as ``bit 7 (PS), bits 18-21``."""
    runs: list[list[int]] = []
    for bit in (bit for bit in range(mask.bit_length()) if mask >> bit & 1):
        if runs and runs[-1][-1] == bit - 1 and _BITS.keys().isdisjoint((bit - 1, bit)):
            runs[-1].append(bit)
        else:
            runs.append([bit])
    return ", ".join(_run_name(run) for run in runs)


def _run_name(run: list[int]) -> str:
    if len(run) > 1:
        return f"bits {run[0]}-{run[-1]}"
    return f"bit {run[0]} ({_BITS[run[0]]})" if run[0] in _BITS else f"bit {run[0]}"


def paging_mode(registers: ControlRegisters) -> PagingMode | None:
    """Return the mode that the control registers select (SDM 4.1.1), None without paging."""
    if not registers.cr0 & CR0_PG:
        return None
    if not registers.cr4 & CR4_PAE:
        return _two_level(bool(registers.cr4 & CR4_PSE), registers.physical_bits or 36)
    no_execute = bool(registers.efer & EFER_NXE)
    if registers.efer & EFER_LME:
        return _four_level(no_execute, registers.physical_bits or 40)
    return _pae(no_execute, registers.physical_bits or 36)


def _two_level(large_pages: bool, physical_bits: int) -> PagingMode:
    """32-bit paging: SDM 4.3, tables 4-3 (CR3), 4-4 and 4-5 (PDE), 4-6 (PTE)."""
    width = min(40, max(32, physical_bits))  # "M" of table 4-4
    large = EntryFormat(
        address=bits(31, 22),
        reserved=bits(21, width - 19),
        high=bits(width - 20, 13),
        high_shift=19,
    )
    small = EntryFormat(address=bits(31, 12), reserved=0)
    return PagingMode(
        name="32-bit",
        entry_size=4,
        root=bits(31, 12),
        address_bits=32,
        levels=(
            Level(2, 22, 10, table=small, page=large if large_pages else None),
            Level(1, 12, 10, table=None, page=small),
        ),
    )


def _pae(no_execute: bool, physical_bits: int) -> PagingMode:
    """PAE paging: SDM 4.4, tables 4-7 (CR3), 4-8 (PDPTE), 4-9 and 4-10 (PDE), 4-11 (PTE).

    A PDPTE has no A bit, and a CPU takes none with bit 5 set; but QEMU's TCG sets that bit while it
    walks, in tables that were right before, so that it tells nothing of the kernel.
    """
    high = bits(62, physical_bits) | (0 if no_execute else NO_EXECUTE)
    small = EntryFormat(address=bits(physical_bits - 1, 12), reserved=high)
    pointer = EntryFormat(
        address=bits(physical_bits - 1, 12),
        reserved=bits(2, 1) | bits(8, 6) | bits(63, physical_bits),
    )
    large = EntryFormat(address=bits(physical_bits - 1, 21), reserved=bits(20, 13) | high)
    return PagingMode(
        name="PAE",
        entry_size=8,
        root=bits(31, 5),
        address_bits=32,
        no_execute=no_execute,
        levels=(
            Level(3, 30, 2, table=pointer, page=None, rights=False),
            Level(2, 21, 9, table=small, page=large),
            Level(1, 12, 9, table=None, page=small),
        ),
    )


def _four_level(no_execute: bool, physical_bits: int) -> PagingMode:
    """4-level paging: SDM 4.5, tables 4-12 (CR3) and 4-15 … 4-20 (PML4E … PTE)."""
    high = bits(51, physical_bits) | (0 if no_execute else NO_EXECUTE)
    top = bits(physical_bits - 1, 12)
    small = EntryFormat(address=top, reserved=high)
    huge = EntryFormat(address=bits(physical_bits - 1, 30), reserved=bits(29, 13) | high)
    large = EntryFormat(address=bits(physical_bits - 1, 21), reserved=bits(20, 13) | high)
    return PagingMode(
        name="4-level",
        entry_size=8,
        root=top,
        address_bits=48,
        no_execute=no_execute,
        levels=(
            Level(4, 39, 9, table=EntryFormat(address=top, reserved=LARGE | high), page=None),
            Level(3, 30, 9, table=small, page=huge),
            Level(2, 21, 9, table=small, page=large),
            Level(1, 12, 9, table=None, page=small),
        ),
    )
