"""What has changed in what page tables map."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.check.changes import Changes
from harness.decode.belief.paging import ControlRegisters, PageTables
from harness.decode.belief.spaces import AddressSpaces, Space
from harness.decode.state import MemoryState

_RIGHTS = ("writable", "user", "executable", "global_")
_UNLIKE = {
    "writable": "read-only",
    "user": "the kernel's",
    "executable": "not executable",
    "global_": "not global",
}
SAME, MAPPED, UNMAPPED, MOVED, OTHER_RIGHTS, OTHER_SIZE = range(6)


def note_pages(changes: Changes, before: MemoryState, now: MemoryState) -> None:
    """Note what has changed about virtual memory."""
    _note_registers(changes, before.registers, now.registers)
    note_mappings(changes, "page tables", before.page_tables, now.page_tables)
    _note_spaces(changes, before.address_spaces, now.address_spaces)


def _note_registers(changes: Changes, before: ControlRegisters, now: ControlRegisters) -> None:
    for name in ("cr0", "cr3", "cr4", "efer"):
        changes.add_value("CPU", name, hex(getattr(before, name)), hex(getattr(now, name)))


def note_mappings(changes: Changes, name: str, before: PageTables, now: PageTables) -> None:
    """Note each stretch of virtual addresses that is mapped otherwise than it was."""
    if np.array_equal(before.mappings, now.mappings):
        return
    found = _compare(before.mappings, now.mappings)
    starts = _run_starts(found)
    ends = np.append(starts[1:], len(found.first))
    chosen = np.flatnonzero(found.kind[starts] != SAME)
    messages = (_in_words(found, int(starts[at]), int(ends[at])) for at in chosen)
    changes.add_each(name, messages, len(chosen))


@dataclass(frozen=True)
class _Pieces:
    """Stretches of virtual addresses in each of which nothing changes from byte to byte."""

    first: npt.NDArray[np.uint64]
    """Virtual address of the first byte …"""
    last: npt.NDArray[np.uint64]
    """… and of the last."""
    kind: npt.NDArray[np.uint8]
    old: npt.NDArray[np.void]
    """What mapped it before, moved so that it begins here; where nothing did, all zero."""
    new: npt.NDArray[np.void]


def _compare(before: npt.NDArray[np.void], now: npt.NDArray[np.void]) -> _Pieces:
    one = np.uint64(1)
    lasts = [table["virtual"] + (table["size"] - one) for table in (before, now)]
    last = max(int(array.max(initial=0)) for array in lasts)
    behind = [array[array != last] + one for array in lasts]
    first = np.unique(np.concatenate((before["virtual"], now["virtual"], *behind)))
    ends = np.append(first[1:] - one, np.uint64(last))
    old, was = _mapped_at(before, first)
    new, is_now = _mapped_at(now, first)
    kind = np.full(len(first), SAME, dtype=np.uint8)
    both = was & is_now
    kind[both & (old["size"] != new["size"])] = OTHER_SIZE
    for right in _RIGHTS:
        kind[both & (old[right] != new[right])] = OTHER_RIGHTS
    kind[both & (old["physical"] != new["physical"])] = MOVED
    kind[is_now & ~was], kind[was & ~is_now] = MAPPED, UNMAPPED
    return _Pieces(first, ends, kind, old, new)


def _mapped_at(
    mappings: npt.NDArray[np.void], addresses: npt.NDArray[np.uint64]
) -> tuple[npt.NDArray[np.void], npt.NDArray[np.bool_]]:
    """Return what maps each address, with the physical address of that byte, and whether any."""
    if not len(mappings):
        return np.zeros(len(addresses), mappings.dtype), np.zeros(len(addresses), dtype=np.bool_)
    index = np.searchsorted(mappings["virtual"], addresses, side="right") - 1
    found = mappings[np.maximum(index, 0)]
    offset = addresses - found["virtual"]
    mapped = (index >= 0) & (offset < found["size"])
    found["physical"] += offset
    found[~mapped] = np.zeros(1, mappings.dtype)[0]
    return found, mapped


def _run_starts(found: _Pieces) -> npt.NDArray[np.int64]:
    """Return where a message begins: one is about neighbours that changed in the same way."""
    joined = (found.kind[1:] == found.kind[:-1]) & (
        found.first[1:] == found.last[:-1] + np.uint64(1)
    )
    for right in _RIGHTS:
        joined &= found.old[right][1:] == found.old[right][:-1]
        joined &= found.new[right][1:] == found.new[right][:-1]
    return np.flatnonzero(np.concatenate(([True], ~joined)))


def _in_words(found: _Pieces, start: int, end: int) -> str:
    place = f"virtual 0x{found.first[start]:08x}-0x{found.last[end - 1]:08x}"
    old, new = found.old[start:end], found.new[start:end]
    match int(found.kind[start]):
        case 1:
            return f"{place} is mapped now, to {_physical(found, new, start)}, {_rights(new[0])}"
        case 2:
            return f"{place} is no longer mapped; it was, to {_physical(found, old, start)}"
        case 3:
            was, is_now = (_physical(found, one, start) for one in (old, new))
            return f"{place} is mapped to {is_now}, before to {was}"
        case 4:
            return f"{place} is {_rights(new[0])}, before {_rights(old[0])}"
    return f"{place} is mapped by pages of {new[0]['size']} bytes, before of {old[0]['size']}"


def _physical(found: _Pieces, pages: npt.NDArray[np.void], start: int) -> str:
    distance = found.first[start : start + len(pages)] - pages["physical"]
    if (distance == distance[0]).all():
        return f"physical 0x{pages['physical'][0]:x}"
    return f"{len(pages)} frames, the first at physical 0x{pages['physical'][0]:x}"


def _rights(page: np.void) -> str:
    return ", ".join(right.rstrip("_") if page[right] else _UNLIKE[right] for right in _RIGHTS)


def _note_spaces(changes: Changes, before: AddressSpaces | None, now: AddressSpaces | None) -> None:
    old, new = (
        {space.number: space for space in spaces.spaces} if spaces else {}
        for spaces in (before, now)
    )
    for number in sorted(old.keys() | new.keys()):
        name = f"address space {number}"
        if number not in new:
            changes.add(name, "is no longer there")
        elif number not in old:
            changes.add(name, f"is new; its directory is at physical 0x{new[number].directory:x}")
        else:
            _note_space(changes, name, old[number], new[number])


def _note_space(changes: Changes, name: str, before: Space, now: Space) -> None:
    changes.add_value(name, "directory", hex(before.directory), hex(now.directory))
    changes.add_value(name, "in use", before.current, now.current)
    note_mappings(changes, name, before.user, now.user)
    old, new = ({region.start: region for region in space.regions} for space in (before, now))
    for start in sorted(old.keys() | new.keys()):
        place = f"the region at virtual 0x{start:08x}"
        if start not in new:
            changes.add(name, f"{place} ({old[start].pages} pages) is no longer there")
        elif start not in old:
            changes.add(name, f"{place} ({new[start].pages} pages) is new")
        else:
            changes.add_value(name, f"pages of {place}", old[start].pages, new[start].pages)
            frames = (old[start].frames, new[start].frames)
            changes.add_value(name, f"pages of {place} with a frame of their own", *frames)
