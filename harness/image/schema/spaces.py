"""Where a kernel keeps its address spaces and their user regions."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MapTable:
    """The kernel's own map of an address space: the stretches of it that may be mapped.

    An array of ``count`` elements, over the members of one of which are:
    """

    array: str
    """The array, or a pointer to its first element."""
    count: str
    """Elements."""
    name: str
    """Address of its name, ended by a zero byte; this and the next two: virtual addresses."""
    start: str
    """Its first byte."""
    last: str
    """Its last byte."""
    user: str
    """True where each address space has pages of its own, open to user programs."""
    writable: str
    """True where pages may be writable."""


@dataclass(frozen=True)
class UserRegions:
    """Stretches of one address space whose pages appear when they are touched."""

    head: str
    """Member of the address space's record: head of a circular list of:"""
    region: str
    """C type of a region's record, and its members:"""
    link: str
    """Its link, a structure."""
    start: str
    """Virtual address."""
    pages: str
    """Pages of 4 KiB."""
    frames: str | None = None
    """Counter of pages that have a frame of their own."""
    next: str = "next"
    """The link's member that leads to the next region …"""
    previous: str | None = None
    """… and the one that leads back."""


@dataclass(frozen=True)
class AddressSpaces:
    """A circular list of address spaces, whose page tables are the same in the kernel's part."""

    spaces: str
    """Head of a circular list of:"""
    space: str
    """C type of an address space's record, and its members:"""
    link: str
    """Its link, a structure."""
    number: str
    """Its number."""
    directory: str
    """Physical address of its top table."""
    current: str
    """Address of the record of the one that is in use."""
    map: MapTable
    """What may be mapped."""
    regions: UserRegions
    """What user programs have."""
    zero_page: str | None = None
    """Virtual address of the page of zeros that untouched pages show when they are read."""
    owner: str = "user"
    """The frame table's name for frames behind pages of user regions."""
    next: str = "next"
    """The link's member that leads to the next space …"""
    previous: str | None = None
    """… and the one that leads back."""
