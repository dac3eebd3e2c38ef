"""What memory a kernel takes and what its page tables promise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Address = int | str
"""A virtual address: a number, or a sum of symbols, enumerators and numbers; an ``end`` of 0 is
2^32. Only the kernel's image tells what it comes to."""


@dataclass(frozen=True)
class Zone:
    """A zone of physical memory, from the end of the one before it to ``end``, in bytes."""

    name: str
    """What messages call it."""
    end: int
    """Physical address of the first byte behind it."""


@dataclass(frozen=True)
class FirmwareMap:
    """What the kernel takes of the firmware's memory map, and the table in which it keeps that."""

    entries: int | None = None
    """A map with more entries may be refused."""
    regions: int | None = None
    """At most so many. Of more usable ones the largest stay, of equal ones the lowest."""
    above: int | None = None
    """Physical address: the kernel leaves memory below it alone …"""
    below: int | None = None
    """… and memory from here on."""
    array: str | None = None
    """The kernel's own table of regions, ascending; of ``count`` elements, over the members of
    one of which are:"""
    count: str | None = None
    """Elements."""
    start: str | None = None
    """Its first frame …"""
    end: str | None = None
    """… and the first one behind it."""
    usable: str | None = None
    """True for memory that the kernel may use."""


@dataclass(frozen=True)
class LinearMapping:
    """Pages [``virtual``, ``end``) that map frames 0, 1, 2 … in order."""

    name: str
    """What messages call it."""
    virtual: Address
    """First byte."""
    end: Address
    """The first byte behind it."""
    frames: tuple[Literal["usable", "image", "all"], ...]
    """Sets of the model's; all: whatever lies there."""
    writable: bool = True
    """Pages are writable; those of the image are as the ELF says."""
    user: bool = False
    """Pages are open to user programs."""
    global_: bool = False
    """Pages are global."""
    except_: tuple[tuple[str, str], ...] = ()
    """[start, end) expressions: virtual addresses left unmapped."""


@dataclass(frozen=True)
class WindowMapping:
    """Virtual addresses [``virtual``, ``end``) of temporary mappings that own nothing."""

    name: str
    """What messages call it."""
    virtual: Address
    """First byte."""
    end: Address
    """The first byte behind it."""


@dataclass(frozen=True)
class UserSpace:
    """Virtual addresses [``virtual``, ``end``) that are the user programs'."""

    virtual: Address
    """First byte."""
    end: Address
    """The first byte behind it."""


@dataclass(frozen=True)
class PageTables:
    """Where the page tables are, and the mappings that the kernel promises once it is ready."""

    root: str | None = None
    """The top table: an array or a pointer (virtual), or a number (physical); else that of CR3."""
    linear: tuple[LinearMapping, ...] = ()
    """Mappings of memory in order."""
    window: tuple[WindowMapping, ...] = ()
    """Places of temporary mappings."""
    user: UserSpace | None = None
    """Without it, all that lies below the lowest linear map."""
