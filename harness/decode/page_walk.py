"""One virtual address translated as the CPU does it, entry by entry."""

from __future__ import annotations

from dataclasses import dataclass

from harness.decode.belief.paging import FRAME_SIZE, ControlRegisters
from harness.decode.paging_modes import (
    LARGE,
    NO_EXECUTE,
    PRESENT,
    USER,
    WRITABLE,
    EntryFormat,
    Level,
    PagingMode,
    bit_names,
    paging_mode,
)
from harness.ram.protocol import AbsentMemory, Ram


@dataclass(frozen=True)
class Step:
    """One entry on the way down: its level (1 = page table), physical address and raw value."""

    level: int
    address: int
    entry: int


@dataclass(frozen=True)
class PageFault:
    """Why an address is not translated: the entry that stops the walk."""

    level: int
    entry: int
    reason: str


@dataclass(frozen=True)
class Walk:
    """How one virtual address is translated; where it leads unless there is a ``fault``."""

    virtual: int
    steps: tuple[Step, ...]
    physical: int = 0
    page_size: int = 0
    """Bytes of the page that holds it."""
    writable: bool = False
    user: bool = False
    executable: bool = False
    fault: PageFault | None = None


def walk(ram: Ram, registers: ControlRegisters, virtual: int) -> Walk:
    """Translate one virtual address (SDM volume 3A, 4.3 to 4.6).

    A table that does not lie in RAM counts as a fault of the entry that refers to it.
    """
    mode = paging_mode(registers)
    if mode is None:
        return Walk(virtual, (), virtual, FRAME_SIZE, True, True, True)
    if not canonical(mode, virtual):
        return Walk(virtual, (), fault=PageFault(0, 0, "address is not canonical"))
    return _descend(ram, mode, registers.cr3 & mode.root, virtual)


def canonical(mode: PagingMode, virtual: int) -> bool:
    """Tell whether an address is as wide as the mode translates (SDM volume 1, 3.3.7.1)."""
    if mode.address_bits == 32:
        return 0 <= virtual < 1 << 32
    return virtual >> (mode.address_bits - 1) in (0, (1 << (65 - mode.address_bits)) - 1)


def _descend(ram: Ram, mode: PagingMode, table: int, virtual: int) -> Walk:
    steps: list[Step] = []
    writable = user = executable = True
    for level in mode.levels:
        address = table + (virtual >> level.shift) % level.entries * mode.entry_size
        try:
            entry = int.from_bytes(ram.read(address, mode.entry_size), "little")
        except AbsentMemory:
            above = steps[-1] if steps else Step(level.number + 1, 0, table)
            fault = PageFault(above.level, above.entry, f"no RAM at table 0x{table:x}")
            return Walk(virtual, tuple(steps), fault=fault)
        steps.append(Step(level.number, address, entry))
        form, is_page = entry_format(level, entry)
        reason = _reason(entry, form)
        if reason:
            return Walk(virtual, tuple(steps), fault=PageFault(level.number, entry, reason))
        if level.rights:
            writable = writable and bool(entry & WRITABLE)
            user = user and bool(entry & USER)
            executable = executable and not (mode.no_execute and entry & NO_EXECUTE)
        table = entry & form.address | (entry & form.high) << form.high_shift
        if is_page:
            break
    physical = table + virtual % level.page_size
    return Walk(virtual, tuple(steps), physical, level.page_size, writable, user, executable)


def entry_format(level: Level, entry: int) -> tuple[EntryFormat, bool]:
    """Return what the entry's bits mean once it is present, and whether it maps a page."""
    if level.page is not None and (level.table is None or entry & LARGE):
        return level.page, True
    assert level.table is not None
    return level.table, False


def _reason(entry: int, form: EntryFormat) -> str | None:
    if not entry & PRESENT:
        return "not present"
    if entry & form.reserved:
        return f"reserved bits set: {bit_names(entry & form.reserved)}"
    return None
