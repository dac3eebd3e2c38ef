"""What a memory manager believes, decoded out of guest RAM: plain values, no kernel's names.

Frame numbers are physical addresses divided by 4096. Arrays are numpy, owned (not views of
guest memory), one element a frame unless said otherwise.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt

FRAME_SIZE = 4096


@dataclass(frozen=True)
class DecodeFault:
    """A place where guest memory could not be what its description says it is.

    ``structure`` names the description's entry, ``chain`` the addresses that led there (the last
    is the culprit); decoding went on behind it.
    """

    structure: str
    message: str
    chain: tuple[int, ...] = ()
    physical: bool = False


@dataclass(frozen=True)
class ControlRegisters:
    """What decides how the CPU translates addresses."""

    cr0: int
    cr3: int
    cr4: int
    efer: int = 0
    physical_bits: int | None = None
    """MAXPHYADDR of CPUID (SDM 4.1.4); None: 36, or 40 in long mode, as QEMU's CPUs have it."""


MAPPING = np.dtype(
    [
        ("virtual", "<u8"),  # first byte
        ("physical", "<u8"),
        ("size", "<u8"),  # bytes: one page of this entry's level
        ("writable", "?"),  # effective: every level agrees
        ("user", "?"),
        ("executable", "?"),
        ("global_", "?"),
        ("level", "u1"),  # 1 = page table entry
        ("entry", "<u8"),  # the raw entry
        ("entry_address", "<u8"),  # physical address of the entry
    ],
    align=True,
)
"""One page as the tables map it; :attr:`PageTables.mappings` is an array of these."""


@dataclass(frozen=True)
class PageTables:
    """A whole address space."""

    mode: str
    """``none``, ``32-bit``, ``PAE`` or ``4-level``."""
    root: int
    """Physical address of the top table."""
    mappings: npt.NDArray[np.void]
    """dtype :data:`MAPPING`, ascending by virtual address; every level's pages together."""
    tables: npt.NDArray[np.uint64]
    """Physical addresses of every table reached, root first, each once per reference."""
    table_virtual: npt.NDArray[np.uint64]
    """For each of ``tables`` the first virtual address that it translates."""
    faults: tuple[DecodeFault, ...] = ()


@dataclass(frozen=True)
class MapRegion:
    """A region of the kernel's own copy of the firmware's map, in frames."""

    start: int
    end: int
    """First frame behind it."""
    usable: bool


@dataclass(frozen=True)
class Bitmap:
    """A bitmap over frames; ``taken[i]`` is about frame ``first_frame + i``."""

    name: str
    first_frame: int
    taken: npt.NDArray[np.bool_]
    padding_taken: bool
    """Whether the bits of the last word beyond the last frame all say taken."""
    storage: tuple[range, ...]
    """Physical byte ranges of the bitmap itself, unless they are among the state's metadata."""
    free_count: int | None = None
    """The kernel's own count of free frames."""
    gone: bool = False
    """Handed over: the kernel says that it no longer exists; ``taken`` is empty."""
    chosen: bool = True
    """Whether this boot has it in use at all; if not, ``taken`` is empty."""
    reserved: npt.NDArray[np.bool_] | None = None
    """The kernel's own note of the frames that are never given out; like ``taken``."""
    managed_count: int | None = None
    """The kernel's own count of the others."""
    cursor: int | None = None
    """The frame at which the next search begins, where that is not the lowest one."""


@dataclass(frozen=True)
class BumpRange:
    """Memory that is given out from its start up; physical addresses in bytes."""

    start: int
    cursor: int
    """First byte that has not been given out."""
    end: int
    """First byte behind it."""


@dataclass(frozen=True)
class Bump:
    """A bump allocator: ranges of memory, in its own order."""

    name: str
    ranges: tuple[BumpRange, ...]
    storage: tuple[range, ...]
    """Physical byte ranges of the table of ranges itself."""
    gone: bool = False
    """Handed over: the kernel says that it no longer exists; ``ranges`` is empty."""
    chosen: bool = True
    """Whether this boot has it in use at all; if not, ``ranges`` is empty."""


@dataclass(frozen=True)
class FrameTable:
    """``mem_map``: what the kernel notes about each frame."""

    first_frame: int
    free: npt.NDArray[np.bool_]
    """First frame of a free block."""
    order: npt.NDArray[np.uint8]
    reserved: npt.NDArray[np.bool_]
    users: npt.NDArray[np.uint32]
    zone: npt.NDArray[np.uint8]
    owners: dict[str, npt.NDArray[np.bool_]]
    storage: tuple[range, ...]

    def __len__(self) -> int:
        return len(self.free)


@dataclass(frozen=True)
class Held:
    """The frames that callers of the frame interface hold, where a bitmap tells that."""

    taken: npt.NDArray[np.bool_]
    """One element a frame, from frame 0."""


@dataclass(frozen=True)
class FreeList:
    """The free blocks of one order in one zone, in list order."""

    zone: int
    order: int
    frames: npt.NDArray[np.int64]
    """First frame of each block."""
    count: int | None = None
    """The kernel's own count of blocks."""


@dataclass(frozen=True)
class FreeLists:
    """A frame allocator's free lists."""

    name: str
    lists: tuple[FreeList, ...]
    free_frames: dict[int, int] = field(default_factory=dict)
    """The kernel's own count of free frames, by zone."""
    managed_frames: dict[int, int] = field(default_factory=dict)
    merged: bool = True
    faults: tuple[DecodeFault, ...] = ()


@dataclass(frozen=True)
class PairZone:
    """What one zone's pair bitmap says; see :class:`PairMap`."""

    base: int
    """Physical address from which blocks are counted, in bytes."""
    size: int
    """Bytes from there that are covered."""
    max_order: int
    pairs: tuple[npt.NDArray[np.bool_], ...]
    """For each order below ``max_order`` a bit for each pair of buddies, from ``base`` up."""


@dataclass(frozen=True)
class PairMap:
    """For each pair of buddies whether exactly one of the two is a free block."""

    name: str
    """Of the free lists that it goes with."""
    zones: tuple[PairZone, ...]
    managed: npt.NDArray[np.bool_] | None = None
    """One element a frame, from frame 0: whether it was ever handed over. None: it is not noted."""
    faults: tuple[DecodeFault, ...] = ()


@dataclass(frozen=True)
class Magic:
    """A number in a header that is not the one that marks it."""

    address: int
    """Virtual."""
    found: int
    wanted: int


@dataclass(frozen=True)
class HeapBlock:
    """A block of a heap with a header; addresses virtual."""

    header: int
    size: int
    """As the header says, in bytes."""
    magic_good: bool
    magic: Magic | None = None
    """What is wrong with the magic, where the description compares two numbers."""


@dataclass(frozen=True)
class HeapArea:
    """A stretch of kernel virtual addresses, free or used."""

    start: int
    pages: int
    used: bool
    block: HeapBlock | None
    """The block of a used area; None when its header is not mapped."""


@dataclass(frozen=True)
class Heap:
    """A heap and the virtual areas that it is cut from, in list order."""

    name: str
    start: int
    end: int
    areas: tuple[HeapArea, ...]
    header_size: int
    owner: str
    record_size: int = 0
    """Bytes of an area's record."""
    blocks: int | None = None
    bytes: int | None = None
    frames: int | None = None
    faults: tuple[DecodeFault, ...] = ()


@dataclass(frozen=True)
class SubblockBlock:
    """Contiguous pages of a heap of sub-blocks, with their map at the start."""

    start: int
    """Virtual address."""
    chunks: int
    """Pages of 4 KiB."""
    free: int
    """The kernel's own count of free sub-blocks."""
    map_offset: int
    """Bytes from the block's start to its map."""
    map: npt.NDArray[np.uint8]
    """One element a sub-block: :class:`SubblockValue`, or the colour of an allocation."""
    longest: int | None = None
    """The kernel's own bound of the longest run of free sub-blocks."""

    @cached_property
    def runs(self) -> npt.NDArray[np.int64]:
        """Rows (first, behind the last, value) of the runs of one value in the map."""
        edges = np.flatnonzero(self.map[1:] != self.map[:-1]) + 1
        starts = np.concatenate(([0], edges)).astype(np.int64)
        ends = np.concatenate((edges, [len(self.map)])).astype(np.int64)
        return np.stack((starts, ends, self.map[starts].astype(np.int64)), axis=1)


class SubblockValue(enum.IntEnum):
    """What a byte of a map of sub-blocks says; from ``COLOUR`` up, that it is allocated."""

    FREE = 0
    METADATA = 1
    COLOUR = 2


@dataclass(frozen=True)
class SubblockHeap:
    """A heap of sub-blocks; its blocks in list order."""

    name: str
    subblock: int
    """Bytes of a sub-block."""
    blocks: tuple[SubblockBlock, ...]
    owner: str | None = None
    """The frame table's name for its frames; None when they are somebody else's."""
    spare: int | None = None
    """Virtual address of the block that the kernel keeps empty, 0 for none; None: not told."""
    live: int | None = None
    """The kernel's own counts: allocations, their sub-blocks, and the blocks' chunks."""
    used: int | None = None
    held: int | None = None
    faults: tuple[DecodeFault, ...] = ()


@dataclass(frozen=True)
class Damage:
    """A byte in a debug cache that somebody wrote who may not."""

    kind: str
    """``red zone`` or ``poison``."""
    address: int
    """Virtual."""
    object: int
    """Virtual address of the object that it is about."""
    found: int
    wanted: int


@dataclass(frozen=True)
class Slab:
    """A page full of objects of one size."""

    page: int
    """Virtual address."""
    frame: int
    listed: str
    """The list that it is on: ``full``, ``partial`` or ``empty``."""
    cache: int
    """Virtual address of its cache's record, as the header says."""
    header_good: bool
    free: npt.NDArray[np.int64]
    """Indices of the free objects, in the order of their list."""
    live: npt.NDArray[np.bool_] | None = None
    """What the header notes about each object."""
    in_use: int | None = None
    damage: tuple[Damage, ...] = ()


@dataclass(frozen=True)
class Cache:
    """A cache of objects of one size; its slabs list by list, in the order of each list."""

    name: str
    address: int
    """Virtual address of its record."""
    size: int
    """Bytes of an object …"""
    pitch: int
    """… from one object to the next …"""
    first: int
    """… from the page's start to the first one …"""
    bufctl: int
    """… and from an object to its link."""
    capacity: int
    """Objects in a slab."""
    header: range
    """Offsets of the slab's header in its page."""
    slabs: tuple[Slab, ...]
    grows: bool = True
    """Whether it takes a frame by itself when no object is free."""
    live_count: int | None = None
    """The kernel's own count of live objects …"""
    slab_count: int | None = None
    """… and of slabs."""


@dataclass(frozen=True)
class Caches:
    """A slab allocator."""

    name: str
    caches: tuple[Cache, ...]
    owner: str
    faults: tuple[DecodeFault, ...] = ()


@dataclass(frozen=True)
class LargeBlock:
    """A block in pages of its own; addresses virtual."""

    header: int
    frames: npt.NDArray[np.int64]
    """Behind each of its pages; -1 where none is."""
    size: int
    """As the header says, in bytes."""
    pages: int
    header_good: bool


@dataclass(frozen=True)
class LargeBlocks:
    """Blocks that have whole pages to themselves, in list order."""

    name: str
    blocks: tuple[LargeBlock, ...]
    header_size: int
    owner: str
    count: int | None = None
    bytes: int | None = None
    frames: int | None = None
    faults: tuple[DecodeFault, ...] = ()


class ByteKind(enum.IntEnum):
    """What a byte of a heap's page is."""

    HEADER = 0
    """The heap's own."""
    LIVE = 1
    FREE = 2
    PADDING = 3
    """Nobody's: what rounding up leaves over."""


EXTENT = np.dtype([("start", "<u8"), ("end", "<u8"), ("kind", "u1")])
"""Virtual bytes [start, end) of one :class:`ByteKind`."""


@dataclass(frozen=True)
class HeapBytes:
    """What each byte of a heap is."""

    name: str
    pages: npt.NDArray[np.uint64]
    """Virtual address of each page of the heap, ascending."""
    extents: npt.NDArray[np.void]
    """dtype :data:`EXTENT`, ascending."""


@dataclass(frozen=True)
class Metadata:
    """Memory that holds the memory manager's own records."""

    name: str
    storage: tuple[range, ...]
    """Physical byte ranges."""
    owner: str | None
    """The frame table's name for it; None when it was reserved before there was a frame table."""


@dataclass(frozen=True)
class MapPart:
    """A stretch of every address space that may be mapped, by the kernel's own map; virtual."""

    name: str
    start: int
    end: int
    """First byte behind it."""
    user: bool
    """Each address space has pages of its own here, open to user programs."""
    writable: bool


@dataclass(frozen=True)
class UserRegion:
    """A stretch of an address space whose pages appear when they are touched."""

    start: int
    """Virtual."""
    pages: int
    frames: int | None = None
    """The kernel's own count of pages that have a frame of their own."""

    @property
    def addresses(self) -> range:
        """The virtual addresses of its bytes."""
        return range(self.start, self.start + self.pages * FRAME_SIZE)


@dataclass(frozen=True)
class Space:
    """One address space."""

    number: int
    record: int
    """Virtual address of what the kernel notes of it."""
    directory: int
    """Physical address of its top table."""
    current: bool
    entries: npt.NDArray[np.uint64]
    """The raw entries of its top table; none when that is not in RAM."""
    user: PageTables
    """What it maps in the parts of the map that are the users'."""
    regions: tuple[UserRegion, ...]


@dataclass(frozen=True)
class AddressSpaces:
    """All address spaces, in list order."""

    spaces: tuple[Space, ...]
    map: tuple[MapPart, ...]
    zero_page: int | None
    """Physical address of the page that untouched pages show when they are read."""
    owner: str
    faults: tuple[DecodeFault, ...] = ()


@dataclass(frozen=True)
class MemoryState:
    """Everything decoded at one moment of one boot."""

    moment: str
    registers: ControlRegisters
    page_tables: PageTables
    zones: tuple[int, ...] = ()
    """First frame behind each zone of physical memory, ascending, as described."""
    firmware_map: tuple[MapRegion, ...] | None = None
    """The kernel's own table of physical memory in its order; None when it describes none."""
    bitmaps: tuple[Bitmap, ...] = ()
    bumps: tuple[Bump, ...] = ()
    frame_table: FrameTable | None = None
    free_lists: tuple[FreeLists, ...] = ()
    pair_maps: tuple[PairMap, ...] = ()
    held: Held | None = None
    """None where the frame table tells, or nothing does."""
    heaps: tuple[Heap, ...] = ()
    caches: tuple[Caches, ...] = ()
    large_blocks: tuple[LargeBlocks, ...] = ()
    heap_bytes: tuple[HeapBytes, ...] = ()
    subblock_heaps: tuple[SubblockHeap, ...] = ()
    metadata: tuple[Metadata, ...] = ()
    address_spaces: AddressSpaces | None = None
    faults: tuple[DecodeFault, ...] = ()
    """Faults of structures that could not be decoded at all; each structure has its own too."""
