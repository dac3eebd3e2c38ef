"""Where a kernel keeps what it knows of frames: its frame allocators and their records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class FrameTable:
    """An array with one element a frame; all but the first three and ``chosen`` over an
    element's members."""

    array: str
    """The array, or a pointer to its first element."""
    count: str
    """Elements."""
    first_frame: str = "0"
    """The frame that the first element is about."""
    free: str | None = None
    """True in the element of the first frame of a free block …"""
    order: str | None = None
    """… of 2 to this many frames."""
    reserved: str | None = None
    """True for a frame that is never the allocator's."""
    users: str | None = None
    """Counter of those who have the frame."""
    zone: str | None = None
    """Number of the zone that it is in."""
    chosen: str | None = None
    """True in a boot that has it in use; without it, every boot has."""
    owners: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Name of an owner of allocated frames → expression that is true for its frames."""


@dataclass(frozen=True)
class FreeLists:
    """Lists of free blocks, one for each zone and order."""

    name: str
    """What messages call it."""
    head: str
    """Expression of one list's head, with ``zone`` and ``order`` running."""
    zones: str = "1"
    """How many there are."""
    orders: str = "1"
    """How many there are: a block of order n has 2^n frames."""
    style: Literal["circular", "null"] = "circular"
    """circular: back to the head, which is a link itself; null: a pointer leads to the first, and
    NULL ends it."""
    nodes: Literal["frame_table", "block"] = "frame_table"
    """Whose member the link is: the frame table's element, or the free block itself."""
    links: Literal["virtual", "physical"] = "virtual"
    """What a link holds: a pointer, or the physical address of a block whose node begins it."""
    node: str | None = None
    """C type of a node where links are physical: numbers do not tell. Over its members:"""
    magic: str | None = None
    """True in the node of a free block."""
    order: str | None = None
    """The order that the node notes."""
    link: str | None = None
    """The member that links; None when the node is the link."""
    next: str = "next"
    """The link's member that leads to the next node …"""
    previous: str | None = None
    """… and the one that leads back."""
    blocks: str | None = None
    """Counter of one list, in blocks."""
    frames: str | None = None
    """Counter of one zone, in free frames."""
    managed: str | None = None
    """Counter of one zone, in all frames that the allocator was given."""
    merged: bool = False
    """Two free buddies of one order in one zone may not both exist."""
    chosen: str | None = None
    """True in a boot that has it in use; without it, every boot has."""


@dataclass(frozen=True)
class PairMap:
    """The pair bitmap of a buddy allocator: a bit for each pair of buddies of each order.

    A bit is 1 when exactly one of the two is a free block. All but the first two expressions are
    about one ``zone``, which is running.
    """

    name: str
    """Of the free lists that it goes with."""
    zones: str
    """How many there are."""
    base: str
    """Physical address from which blocks and buddies are counted …"""
    size: str
    """… and the number of bytes from there that are covered."""
    max_order: str
    """The order of the largest block, whose buddies do not merge and have no bits."""
    bytes: str
    """The bitmap, bit 0 of byte 0 first, of so many bytes:"""
    length: str
    """Bytes."""
    first_bit: str
    """Of the pairs of one ``order``, which is running too."""
    managed: str | None = None
    """One bit a frame from frame 0, for all zones: 1 for what was ever handed over …"""
    managed_bits: str | None = None
    """… of which there are so many."""
    chosen: str | None = None
    """True in a boot that has it in use; without it, every boot has."""


@dataclass(frozen=True)
class Bitmap:
    """One bit a frame, bit 0 of word 0 first."""

    name: str
    """What messages call it."""
    words: str
    """An array, or a pointer to its first element; of integers of any width."""
    bits: str
    """How many bits, and frames, there are."""
    moment: str = "ready"
    """``ready`` or a name under ``[moments]``."""
    first_frame: str = "0"
    """The frame that bit 0 is about."""
    taken: Literal[0, 1] = 1
    """What a bit says of a frame that is not free."""
    free_count: str | None = None
    """Counter of the free frames."""
    gone: str | None = None
    """True once the bitmap has been handed over."""
    chosen: str | None = None
    """True in a boot that has it in use; without it, every boot has."""
    below: int | None = None
    """The bitmap itself must lie below this physical address: what the kernel reaches so early."""
    metadata: str | None = None
    """Name of the ``[[metadata]]`` in which the bitmap itself lies; without it, its memory is
    known from here."""
    reserved: str | None = None
    """Words of a second bitmap, of as many bits: 1 = the frame is never given out."""
    managed: str | None = None
    """Counter of the frames that were given to the allocator: 0 in that second bitmap."""
    cursor: str | None = None
    """The frame behind the last allocation, of an allocator that searches on from there."""


@dataclass(frozen=True)
class Bump:
    """A bump allocator: an array of ranges of memory, each given out from its start up."""

    name: str
    """What messages call it."""
    array: str
    """Of ``count`` elements, ascending, over the members of one of which are:"""
    count: str
    """Elements."""
    start: str
    """Its first byte (this and the next two: physical addresses) …"""
    cursor: str
    """… the first one that has not been given out …"""
    end: str
    """… and the first one behind it."""
    moment: str = "ready"
    """``ready`` or a name under ``[moments]``."""
    gone: str | None = None
    """True once the ranges have been handed over."""
    chosen: str | None = None
    """True in a boot that has it in use; without it, every boot has."""


@dataclass(frozen=True)
class Metadata:
    """Frames that hold the memory manager's own records, beyond its static data.

    Either one run of ``length`` bytes at ``start``, or a ``chain`` of single frames.
    """

    name: str
    """What messages call them."""
    start: str | None = None
    """First byte: virtual address."""
    length: str | None = None
    """Bytes."""
    chain: str | None = None
    """Pointer to the first of a list of frames that NULL ends."""
    next: str | None = None
    """The member that links."""
    reserved: bool = False
    """Taken before the frame allocator existed."""
    owner: str | None = None
    """The frame table's name for them, when they come from the frame allocator."""
    chosen: str | None = None
    """True in a boot that has it in use; without it, every boot has."""


@dataclass(frozen=True)
class Held:
    """One bit a frame, bit 0 of word 0 first: 1 while a caller of the frame interface holds it.

    Kept by a kernel whose frame allocator does not note who holds its frames.
    """

    words: str
    """An array, or a pointer to its first element."""
    bits: str
    """How many bits, and frames, there are."""
    chosen: str | None = None
    """True in a boot that has it in use; without it, every boot has."""
