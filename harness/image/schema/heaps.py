"""Where a kernel keeps its heaps: areas with headers, sub-blocks, slabs, large blocks."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Heap:
    """A kernel virtual area [``start``, ``end``) given out in areas of whole pages."""

    name: str
    """What messages call it."""
    start: str
    """First byte: virtual address …"""
    end: str
    """… and the first one behind it."""
    areas: str
    """Head of a circular list of:"""
    area: str
    """C type of an area's record, and its members:"""
    link: str
    """Its link, a structure."""
    area_start: str
    """Virtual address."""
    area_pages: str
    """Pages of 4 KiB."""
    area_used: str
    """True for an area that somebody has."""
    next: str = "next"
    """The link's member that leads to the next area …"""
    previous: str | None = None
    """… and the one that leads back."""
    header: str | None = None
    """C type at the start of each used area, and its members:"""
    size: str | None = None
    """Bytes that the caller asked for, over the header's members."""
    magic: str | None = None
    """True in a sound header."""
    blocks: str | None = None
    """Counters: used areas …"""
    frames: str | None = None
    """… the pages of them …"""
    bytes: str | None = None
    """… and the bytes in them, without headers."""
    owner: str | None = None
    """The frame table's name for this heap's frames."""
    chosen: str | None = None
    """True in a boot that has it in use; without it, every boot has."""


@dataclass(frozen=True)
class SubblockHeap:
    """A heap whose blocks begin with their own records: one byte for each piece of the block.

    A byte is 0 for a free piece, 1 for one that holds the records, and else the same for all
    pieces of one allocation and another one for its neighbours'.
    """

    name: str
    """What messages call it."""
    blocks: str
    """Pointer to the first block of a list that ends with NULL; of a block, over its members:"""
    next: str
    """The member that links."""
    free: str
    """Free pieces."""
    map: str
    """The member that the bytes begin at: one for each piece of the block, its own included."""
    subblock: int
    """Bytes of one piece."""
    chunks: str | None = None
    """Contiguous pages of 4 KiB; without it, one."""
    longest: str | None = None
    """A number of pieces that no run of free ones exceeds."""
    spare: str | None = None
    """Pointer to the one block that is kept with nothing in it; without it, there may be any."""
    live: str | None = None
    """Counters of the heap: allocations …"""
    used: str | None = None
    """… the pieces that they take …"""
    held: str | None = None
    """… and the chunks of all blocks."""
    owner: str | None = None
    """The frame table's name for this heap's frames; without it, they are not the heap's own."""
    chosen: str | None = None
    """True in a boot that has it in use; without it, every boot has."""


@dataclass(frozen=True)
class Caches:
    """Caches of objects of one size each, in slabs of one page with a header in it."""

    name: str
    """What messages call them."""
    caches: str
    """Head of a circular list of:"""
    cache: str
    """C type of a cache's record, and its members:"""
    link: str
    """Its link, a structure."""
    label: str
    """The cache's name, an array of char."""
    size: str
    """Bytes of an object …"""
    pitch: str
    """… from one object to the next …"""
    first: str
    """… from the page's start to the first object …"""
    capacity: str
    """(objects in a slab)"""
    bufctl: str
    """… and from an object to the pointer that links it while it is free."""
    full: str
    """Heads of the circular lists of slabs by their free objects: none …"""
    partial: str
    """… some …"""
    empty: str
    """… or all."""
    slab: str
    """C type of a slab's header, and over its members:"""
    slab_link: str
    """Its link, a structure."""
    slab_header: str
    """Bytes from the page's start to the header."""
    slab_cache: str
    """Address of the record of its cache."""
    free: str
    """Address of the first free object's link."""
    in_use: str | None = None
    """Live objects."""
    key: str | None = None
    """What must be the header's own virtual address."""
    state: str | None = None
    """An array of words with one bit an object, 1 in a live one."""
    next: str = "next"
    """The links' member that leads to the next one …"""
    previous: str | None = None
    """… and the one that leads back."""
    live: str | None = None
    """Counters over a cache's members: live objects …"""
    slabs: str | None = None
    """… and slabs."""
    grows: str | None = None
    """True for a cache that takes a frame by itself; without it, all do."""
    guarded: str | None = None
    """True for a cache whose objects have red zones around them …"""
    red_zone: str | None = None
    """… of this byte …"""
    poisoned: str | None = None
    """… or are filled, while they are free, …"""
    poison: str | None = None
    """… with this one."""
    owner: str | None = None
    """The frame table's name for the slabs' frames."""
    chosen: str | None = None
    """True in a boot that has it in use; without it, every boot has."""


@dataclass(frozen=True)
class LargeBlocks:
    """Blocks that have whole pages to themselves, with a header in front."""

    name: str
    """What messages call them."""
    blocks: str
    """Head of a circular list of:"""
    block: str
    """C type of a block's header, and its members:"""
    link: str
    """Its link, a structure."""
    size: str
    """Bytes, without the header."""
    pages: str
    """Pages of 4 KiB, the header's included."""
    key: str | None = None
    """What must be the header's own virtual address."""
    next: str = "next"
    """The link's member that leads to the next block …"""
    previous: str | None = None
    """… and the one that leads back."""
    count: str | None = None
    """Counters: blocks …"""
    bytes: str | None = None
    """… the bytes in them, without headers …"""
    frames: str | None = None
    """… and their pages."""
    owner: str | None = None
    """The frame table's name for the blocks' frames."""
    chosen: str | None = None
    """True in a boot that has it in use; without it, every boot has."""


@dataclass(frozen=True)
class HeaderChain:
    """A heap of blocks one behind the other, each with a header in front of its bytes.

    Headers are linked by ``next``, or else each stands where the bytes of the one before it end,
    from ``first`` to ``end``.
    """

    name: str
    """What messages call it."""
    first: str
    """Virtual address of the first header; 0: there is none yet."""
    header: str
    """C type of a header, and over its members:"""
    size: str
    """Bytes behind the header."""
    next: str | None = None
    """The member that points to the next header, NULL in the last one."""
    previous: str | None = None
    """Virtual address of the header before it, 0 in the first one."""
    end: str | None = None
    """Virtual address at which the last block ends."""
    magic: str | None = None
    """True in a sound header."""
    used: str | None = None
    """True for a block that somebody has; without it all are."""
    merged: bool = False
    """Two free blocks may not be neighbours."""
    live: str | None = None
    """Counters: used blocks …"""
    bytes: str | None = None
    """… and the bytes in them, without headers."""
    owner: str | None = None
    """The frame table's name for this heap's frames; without it, they are not the heap's own."""
    chosen: str | None = None
    """True in a boot that has it in use; without it, every boot has."""
