"""What memory a machine claims to have: the firmware's entries and questions to them."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from itertools import pairwise

from harness.maps.pc import firmware_entries
from harness.maps.region import ADDRESS_SPACE, FOUR_GIB, PAGE_SIZE, MemoryType, Region

MEBIBYTE = 1 << 20

LEAST_MEMORY = 2 * MEBIBYTE
"""RAM of the smallest PC that starts a kernel at 1 MiB: QEMU's firmware hangs with 1 MiB."""

KEPT = 64
"""Normal forms that are kept: of a map, and of what a kernel was told of it, which is the same."""

_RANKS: dict[int, int] = {
    MemoryType.USABLE: 0,
    MemoryType.RESERVED: 1,
    MemoryType.ACPI: 2,
    MemoryType.NVS: 3,
    MemoryType.BAD: 4,
}


@dataclass(frozen=True)
class MemoryMap:
    """A firmware's memory map, with its entries as they were given.

    Nothing promises order, disjointness, alignment or lengths above zero: :meth:`normalised` makes
    a map sane. ``name`` is for people, ``source`` says where the map was published, ``note`` what
    is remarkable about it, ``tags`` the same in single words.
    """

    entries: tuple[Region, ...]
    name: str = ""
    source: str = ""
    note: str = ""
    tags: tuple[str, ...] = ()

    @classmethod
    def pc(cls, memory: int) -> MemoryMap:
        """Return what the firmware of a plain PC with ``memory`` bytes of RAM reports."""
        return cls(firmware_entries(memory), name="pc")

    def normalised(self) -> MemoryMap:
        """Return the same claims as sorted, disjoint regions with nothing rounded.

        Where entries overlap, the more restrictive type wins: bad, then NVS, then ACPI, then
        reserved and all unknown types (of two, the greater number), then usable. Adjacent regions
        of one type are joined, empty ones left out, and what wraps is cut off at 2**64. (All 2**64
        bytes of one type stay in two pieces: no u64 holds that length.)
        """
        return replace(self, entries=_normal_form(self.entries))

    def usable_regions(self) -> tuple[Region, ...]:
        """Return the usable regions of the normal form, ascending, in bytes."""
        return self._usable

    @cached_property
    def _usable(self) -> tuple[Region, ...]:
        return _usable_of(self.entries)

    def usable_frames(self, limit: int = FOUR_GIB) -> tuple[range, ...]:
        """Return the frames (pfn, 4 KiB) that are wholly usable and below ``limit`` bytes.

        A frame that two adjacent usable entries make up together counts; one of which any byte is
        something else, or nothing, does not.
        """
        frames = (
            range(-(-region.base // PAGE_SIZE), min(region.end, limit) // PAGE_SIZE)
            for region in self.usable_regions()
        )
        return tuple(found for found in frames if found)

    @property
    def usable_bytes(self) -> int:
        """The number of usable bytes, anywhere."""
        return sum(region.length for region in self.usable_regions())

    @property
    def top(self) -> int:
        """The first physical address behind the last usable byte; 0 when there is none."""
        return max((region.end for region in self.usable_regions()), default=0)

    def claimed_memory(self) -> int:
        """Return the RAM, in bytes from address 0, that holds each usable byte below 4 GiB.

        It is a multiple of 1 MiB, which every machine accepts as its size, and at least
        ``LEAST_MEMORY``. A PC splits 3.5 GiB and more (see ``pc.ram_ranges``): it must be told not
        to when a map claims addresses from 3 GiB on.
        """
        ends = (region.end for region in self.usable_regions() if region.base < FOUR_GIB)
        below = min(max(ends, default=0), FOUR_GIB)
        return max(-(-below // MEBIBYTE) * MEBIBYTE, LEAST_MEMORY)


@lru_cache(maxsize=KEPT)
def _normal_form(entries: tuple[Region, ...]) -> tuple[Region, ...]:
    return tuple(_joined(_resolved(entries)))


@lru_cache(maxsize=KEPT)
def _usable_of(entries: tuple[Region, ...]) -> tuple[Region, ...]:
    return tuple(region for region in _normal_form(entries) if region.usable)


def restrictiveness(type_: int) -> tuple[int, int]:
    """Return a key that orders types from usable, the least restrictive, to bad."""
    return _RANKS.get(type_, _RANKS[MemoryType.RESERVED]), type_


def _resolved(entries: tuple[Region, ...]) -> list[Region]:
    """Sweep over all borders; between two of them the most restrictive covering entry wins."""
    waiting = sorted((entry for entry in entries if entry.length), reverse=True)
    borders = sorted({at for entry in waiting for at in (entry.base, _cut_end(entry))})
    covering: list[tuple[int, int, int, int]] = []
    found = []
    for start, end in pairwise(borders):
        while waiting and waiting[-1].base == start:
            entry = waiting.pop()
            rank, type_ = restrictiveness(entry.type)
            heapq.heappush(covering, (-rank, -type_, _cut_end(entry), entry.type))
        while covering and covering[0][2] <= start:
            heapq.heappop(covering)
        if covering:
            found.append(Region(start, end - start, covering[0][3]))
    return found


def _cut_end(entry: Region) -> int:
    """Return the entry's end, or 2**64 where it wraps."""
    return min(entry.end, ADDRESS_SPACE)


def _joined(regions: list[Region]) -> list[Region]:
    """Join adjacent regions of one type, as long as a u64 holds the length."""
    joined: list[Region] = []
    for region in regions:
        last = joined[-1] if joined else None
        if last and last.end == region.base and last.type == region.type:
            length = last.length + region.length
            if length < ADDRESS_SPACE:
                joined[-1] = Region(last.base, length, last.type)
                continue
        joined.append(region)
    return joined
