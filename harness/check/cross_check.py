"""The decoded page walk against two others: QEMU's own, and what the CPU does.

QEMU prints its walk of the tables (``info tlb``, ``info mem``, ``gva2gpa``); the CPU shows what its
TLB holds when the kernel's monitor touches a page. All three must agree on every address.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from harness.check.findings import Findings
from harness.check.inspect import Inspection
from harness.check.model import Model
from harness.check.runs import FRAME_SIZE
from harness.check.violation import Violation
from harness.decode.belief.paging import PageTables
from harness.decode.state import MemoryState
from harness.image.schema.running import Monitor
from harness.machine.guest import Guest
from harness.machine.monitor import KernelMonitor

ENTRY_WRITABLE = 1 << 1
ENTRY_USER = 1 << 2
"""R/W and U/S of a paging entry: SDM volume 3, tables 4-4 to 4-6."""

MOST_SAMPLES = 256
"""Addresses that are asked one by one."""

_ADDRESS = (1 << 52) - 1
"""Bits of a PAE entry that may be its address (SDM volume 3, table 4-11); ``info tlb`` prints XD,
bit 63, along with them."""

_TLB_LINE = re.compile(r"^([0-9a-f]+): ([0-9a-f]+) ([-A-Z]{9})\s*$", re.MULTILINE)
_MEM_LINE = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) [0-9a-f]+ ([-u])r([-w])\s*$", re.MULTILINE)
_GPA = re.compile(r"gpa: 0x([0-9a-f]+)")


@dataclass(frozen=True)
class Access:
    """What a touch of a virtual address came to."""

    fault: bool
    value: int | None = None
    """The 32-bit word that was read."""


Hmp = Callable[[str], str]
"""Runs a command of QEMU's human monitor and returns what it prints."""

Touch = Callable[[int, int | None], Access]
"""Reads the word at a virtual address as the guest's CPU, or writes it when given a value."""


def compare_with_qemu(hmp: Hmp, tables: PageTables) -> tuple[Violation, ...]:
    """Report each page that QEMU's walk sees differently; the guest must be paused."""
    findings = Findings("walk")
    _compare_pages(findings, hmp("info tlb"), tables)
    _compare_rights(findings, hmp("info mem"), tables)
    for virtual in samples(tables):
        found = _GPA.search(hmp(f"gva2gpa 0x{virtual:x}"))
        theirs = int(found[1], 16) if found else None
        ours = translate(tables, virtual)
        if theirs != ours:
            message = f"virtual 0x{virtual:x}: QEMU translates to {_hex(theirs)}, the walk to "
            findings.add("qemu", message + _hex(ours), ("V7", "V8"), virtual, physical=False)
    return findings.result()


def translate(tables: PageTables, virtual: int) -> int | None:
    """Return the physical address behind ``virtual`` by the decoded walk, or None."""
    index = _mapping_at(tables, virtual)
    if index is None:
        return None
    mapping = tables.mappings[index]
    return int(mapping["physical"]) + virtual - int(mapping["virtual"])


def _mapping_at(tables: PageTables, virtual: int) -> int | None:
    index = int(np.searchsorted(tables.mappings["virtual"], virtual, side="right")) - 1
    if index < 0:
        return None
    mapping = tables.mappings[index]
    inside = virtual < int(mapping["virtual"]) + int(mapping["size"])
    return index if inside else None


def _hex(address: int | None) -> str:
    return "nothing" if address is None else f"0x{address:x}"


def _compare_pages(findings: Findings, text: str, tables: PageTables) -> None:
    """Compare each entry: virtual and physical address, and its own R/W and U/S."""
    theirs = {
        int(line[1], 16): (int(line[2], 16) & _ADDRESS, "W" in line[3], "U" in line[3])
        for line in _TLB_LINE.finditer(text)
    }
    fields = (tables.mappings[name].tolist() for name in ("virtual", "physical", "entry"))
    ours = {
        virtual: (physical, bool(entry & ENTRY_WRITABLE), bool(entry & ENTRY_USER))
        for virtual, physical, entry in zip(*fields, strict=True)
    }
    for virtual in sorted({virtual for virtual, _ in theirs.items() ^ ours.items()}):
        message = (
            f"page at virtual 0x{virtual:x}: QEMU's walk has {_in_words(theirs.get(virtual))}, "
            f"the decoded one {_in_words(ours.get(virtual))}"
        )
        findings.add("qemu", message, ("V7", "V8"), virtual, physical=False)


def _in_words(page: tuple[int, bool, bool] | None) -> str:
    if page is None:
        return "nothing"
    rights = ("writable" if page[1] else "read-only") + (", user" if page[2] else "")
    return f"physical 0x{page[0]:x} ({rights})"


def _compare_rights(findings: Findings, text: str, tables: PageTables) -> None:
    """Compare the ranges of equal effective rights, all levels taken together."""
    theirs = {
        (int(line[1], 16), int(line[2], 16), line[3] == "u", line[4] == "w")
        for line in _MEM_LINE.finditer(text)
    }
    for start, end, user, writable in sorted(theirs ^ set(_equal_rights(tables.mappings))):
        rights = ("writable" if writable else "read-only") + (", user" if user else "")
        message = f"only one of the walks has virtual 0x{start:x}-0x{end:x} as one range ({rights})"
        findings.add("qemu-rights", message, ("V7", "V8"), start, physical=False)


def _equal_rights(mappings: npt.NDArray[np.void]) -> Iterator[tuple[int, int, bool, bool]]:
    names = ("virtual", "size", "user", "writable")
    start, end, rights = 0, 0, (False, False)
    for virtual, size, user, writable in zip(*(mappings[n].tolist() for n in names), strict=True):
        if virtual != end or (user, writable) != rights or end == 0:
            if end > start:
                yield (start, end, *rights)
            start, rights = virtual, (user, writable)
        end = virtual + size
    if end > start:
        yield (start, end, *rights)


def samples(tables: PageTables) -> list[int]:
    """Return addresses worth asking: the first and last word of ranges, and those around them."""
    found: set[int] = set()
    for start, end, _, _ in _equal_rights(tables.mappings):
        found |= {start - 4, start, end - 4, end, (start + end) // 2 & ~3}
    inside = sorted(address for address in found if 0 <= address < 1 << 32)
    step = -(-len(inside) // MOST_SAMPLES)
    return inside[:: step or 1]


def compare_with_cpu(
    touch: Touch,
    read: Callable[[int], int],
    tables: PageTables,
    skip: tuple[range, ...] = (),
    demand: tuple[range, ...] = (),
) -> tuple[Violation, ...]:
    """Report each address where the CPU faults otherwise than the walk says; the guest runs.

    ``read`` returns the 32-bit word at a physical address. Virtual addresses in ``skip`` change
    while the guest runs (its data, temporary mappings) and are left alone. In ``demand`` pages
    appear and become writable when they are touched: of these only what is there is touched. A
    write puts back the word that was read.
    """
    findings = Findings("walk")
    for virtual in samples(tables):
        if not any(virtual in pages for pages in skip):
            on_demand = any(virtual in pages for pages in demand)
            _compare_access(findings, touch, read, tables, virtual, on_demand)
    return findings.result()


def _compare_access(
    findings: Findings,
    touch: Touch,
    read: Callable[[int], int],
    tables: PageTables,
    virtual: int,
    on_demand: bool,
) -> None:
    index, physical = _mapping_at(tables, virtual), translate(tables, virtual)
    if on_demand and index is None:
        return
    found = touch(virtual, None)
    if index is None or physical is None:
        if not found.fault:
            _report_cpu(findings, virtual, "the CPU reads it, but the walk maps nothing there")
        return
    if found.fault or found.value is None:
        _report_cpu(findings, virtual, f"the CPU faults, but the walk maps it to 0x{physical:x}")
        return
    if found.value != read(physical):
        words = f"the CPU reads 0x{found.value:x}, physical 0x{physical:x} holds another word"
        _report_cpu(findings, virtual, words)
    writable = bool(tables.mappings[index]["writable"])
    if on_demand and not writable:
        return
    if touch(virtual, found.value).fault == writable:
        did = "faults on a write" if writable else "can write"
        says = "writable" if writable else "read-only"
        _report_cpu(findings, virtual, f"the CPU {did}, but the walk says {says}")


def _report_cpu(findings: Findings, virtual: int, words: str) -> None:
    findings.add("cpu", f"virtual 0x{virtual:x}: {words}", ("V8",), virtual, physical=False)


def cross_check(guest: Guest, inspection: Inspection) -> tuple[Violation, ...]:
    """Compare the walk of a paused guest that is ready with QEMU's and with the CPU.

    The CPU is asked when the kernel's description says how its monitor touches memory; the guest
    then runs in between and is paused again.
    """
    tables = inspection.state.page_tables
    found = compare_with_qemu(guest.qemu, tables)
    monitor = guest.kernel.description.monitor
    if monitor is None or not (monitor.read and monitor.write and monitor.value):
        return found
    guest.resume()
    found += compare_with_cpu(
        partial(_touch, guest.monitor, monitor),
        lambda physical: int.from_bytes(guest.ram.read(physical, 4), "little"),
        tables,
        _restless(inspection.model),
        _on_demand(inspection.state),
    )
    guest.pause()
    return found


def _on_demand(state: MemoryState) -> tuple[range, ...]:
    """Return the virtual addresses of the current address space's user regions."""
    spaces = state.address_spaces.spaces if state.address_spaces else ()
    return tuple(region.addresses for space in spaces if space.current for region in space.regions)


def _touch(kernel: KernelMonitor, described: Monitor, virtual: int, value: int | None) -> Access:
    request = described.read if value is None else described.write
    assert request is not None
    assert described.value is not None
    command = request.replace("{address}", f"0x{virtual:x}").replace("{value}", f"0x{value or 0:x}")
    answer = described.value.search(kernel.require(command).text)
    return Access(True) if answer is None else Access(False, int(answer["value"], 0))


def _restless(model: Model) -> tuple[range, ...]:
    """Return the virtual addresses of windows, and of the image's data in linear maps."""
    windows = [range(one.start * FRAME_SIZE, one.stop * FRAME_SIZE) for one in model.windows]
    data = [
        range(start, start + len(frames) * FRAME_SIZE)
        for linear in model.linear
        for frames in linear.writable_image
        for start in [(linear.pages.start + frames.start) * FRAME_SIZE]
    ]
    return (*windows, *data)
