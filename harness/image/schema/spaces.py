"""Where a kernel keeps its address spaces and their user regions."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MapTable:
    """The kernel's own map of an address space: the stretches of it that may be mapped.

    An array of ``count`` elements, over the members of one of which are:
    """

    array: str
    count: str
    name: str
    """Address of its name, ended by a zero byte; this and the next two: virtual addresses."""
    start: str
    last: str
    """Its last byte."""
    user: str
    """True where each address space has pages of its own, open to user programs."""
    writable: str


@dataclass(frozen=True)
class UserRegions:
    """Stretches of one address space whose pages appear when they are touched."""

    head: str
    """Member of the address space's record: head of a circular list of:"""
    region: str
    """C type of a region's record, and its members:"""
    link: str
    start: str
    pages: str
    frames: str | None = None
    """Counter of pages that have a frame of their own."""
    next: str = "next"
    previous: str | None = None


@dataclass(frozen=True)
class AddressSpaces:
    """A circular list of address spaces, whose page tables are the same in the kernel's part."""

    spaces: str
    """Head of a circular list of:"""
    space: str
    """C type of an address space's record, and its members:"""
    link: str
    number: str
    directory: str
    """Physical address of its top table."""
    current: str
    """Address of the record of the one that is in use."""
    map: MapTable
    regions: UserRegions
    zero_page: str | None = None
    """Virtual address of the page of zeros that untouched pages show when they are read."""
    owner: str = "user"
    """The frame table's name for frames behind pages of user regions."""
    next: str = "next"
    previous: str | None = None
