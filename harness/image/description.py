"""What the harness knows of one kernel: its ``harness.toml`` as frozen values.

Every table of the file is optional: a kernel without any still boots. Strings called expressions
are C, evaluated over guest memory with the types of the kernel's DWARF; they stay strings here.
Attributes have the names of the file's keys (with an underscore behind Python's keywords).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from harness.image.monitor_command import MonitorCommand
from harness.image.toml_table import DescriptionError, TableReader, Where, read_toml

__all__ = [
    "Description",
    "DescriptionError",
    "bundled_description",
    "bundled_path",
    "load_description",
]

Address = int | str
"""A virtual address: a number, or a sum of symbols, enumerators and numbers; an ``end`` of 0 is
2^32. Only the kernel's image tells what it comes to."""


@dataclass(frozen=True)
class Build:
    """How the kernel is built."""

    command: tuple[str, ...]
    """Arguments; ``{source}``, ``{build}`` and ``{variables}`` are replaced."""
    image: str
    """The ELF that the command leaves, relative to the build folder."""
    variables: tuple[str, ...] = ()
    """Names of the variables that a user may set."""


@dataclass(frozen=True)
class Boot:
    """How the kernel may be started."""

    paths: tuple[Literal["direct", "multiboot", "iso"], ...] = ("direct", "multiboot", "iso")


@dataclass(frozen=True)
class Preset:
    """One of the memory managers that the kernel can be."""

    name: str
    append: str = ""
    """Words for the command line."""
    variables: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Build variables."""
    searches: bool = False
    """By its design an operation may search all of memory, so that its cost grows with it."""


@dataclass(frozen=True)
class Console:
    """Lines by which the kernel tells how it fares; each pattern is searched in one line."""

    first: re.Pattern[str] | None = None
    ready: re.Pattern[str] | None = None
    panic: re.Pattern[str] | None = None
    """May have a group ``message``."""
    refused: re.Pattern[str] | None = None
    """A machine on which the kernel rightly will not work; may have a group ``message``."""
    end: re.Pattern[str] | None = None
    """The last line of a panic's report."""


@dataclass(frozen=True)
class Monitor:
    """The command line that the kernel offers on its console."""

    prompt: str
    request: str
    """With ``{tag}`` (a decimal number) and ``{command}``."""
    answer: str
    """Regular expression with ``{tag}`` and the groups ``status`` and ``rest``."""
    read: str | None = None
    """Command by which the CPU reads the 32-bit word at virtual ``{address}``."""
    write: str | None = None
    """The same for writing ``{value}``."""
    value: re.Pattern[str] | None = None
    """Group ``value``: the word that was accessed. An answer without it tells of a fault."""
    commands: tuple[MonitorCommand, ...] = ()
    """Those that a test can give as functions."""


@dataclass(frozen=True)
class Zone:
    """A zone of physical memory, from the end of the one before it to ``end``, in bytes."""

    name: str
    end: int


@dataclass(frozen=True)
class FirmwareMap:
    """What the kernel takes of the firmware's memory map, and the table in which it keeps that."""

    entries: int | None = None
    """A map with more entries may be refused."""
    regions: int | None = None
    """At most so many. Of more usable ones the largest stay, of equal ones the lowest."""
    array: str | None = None
    """The kernel's own table of regions, ascending; of ``count`` elements, over the members of
    one of which are:"""
    count: str | None = None
    start: str | None = None
    """Its first frame …"""
    end: str | None = None
    """… and the first one behind it."""
    usable: str | None = None


@dataclass(frozen=True)
class LinearMapping:
    """Pages [``virtual``, ``end``) that map frames 0, 1, 2 … in order."""

    name: str
    virtual: Address
    end: Address
    frames: tuple[Literal["usable", "image"], ...]
    writable: bool = True
    user: bool = False
    global_: bool = False
    except_: tuple[tuple[str, str], ...] = ()
    """[start, end) expressions: virtual addresses left unmapped."""


@dataclass(frozen=True)
class WindowMapping:
    """Virtual addresses [``virtual``, ``end``) of temporary mappings that own nothing."""

    name: str
    virtual: Address
    end: Address


@dataclass(frozen=True)
class UserSpace:
    """Virtual addresses [``virtual``, ``end``) that are the user programs'."""

    virtual: Address
    end: Address


@dataclass(frozen=True)
class PageTables:
    """The mappings that the kernel promises once it is ready."""

    linear: tuple[LinearMapping, ...] = ()
    window: tuple[WindowMapping, ...] = ()
    user: UserSpace | None = None
    """Without it, all that lies below the lowest linear map."""


@dataclass(frozen=True)
class FrameTable:
    """An array with one element a frame; all but the first three over an element's members."""

    array: str
    count: str
    first_frame: str = "0"
    free: str | None = None
    """True in the element of the first frame of a free block …"""
    order: str | None = None
    """… of 2 to this many frames."""
    reserved: str | None = None
    users: str | None = None
    zone: str | None = None
    chosen: str | None = None
    """True in a boot that has it in use; without it, every boot has."""
    owners: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Name of an owner of allocated frames → expression that is true for its frames."""


@dataclass(frozen=True)
class FreeLists:
    """Lists of free blocks, one for each zone and order."""

    name: str
    head: str
    """Expression of one list's head, with ``zone`` and ``order`` running."""
    zones: str = "1"
    orders: str = "1"
    style: Literal["circular", "null"] = "circular"
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
    previous: str | None = None
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
    base: str
    """Physical address from which blocks and buddies are counted …"""
    size: str
    """… and the number of bytes from there that are covered."""
    max_order: str
    """The order of the largest block, whose buddies do not merge and have no bits."""
    bytes: str
    """The bitmap, bit 0 of byte 0 first, of so many bytes:"""
    length: str
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
    words: str
    bits: str
    moment: str = "ready"
    """``ready`` or a name under ``[moments]``."""
    first_frame: str = "0"
    taken: Literal[0, 1] = 1
    free_count: str | None = None
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
    array: str
    """Of ``count`` elements, ascending, over the members of one of which are:"""
    count: str
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
class Heap:
    """A kernel virtual area [``start``, ``end``) given out in areas of whole pages."""

    name: str
    start: str
    end: str
    areas: str
    """Head of a circular list of:"""
    area: str
    """C type of an area's record, and its members:"""
    link: str
    area_start: str
    area_pages: str
    area_used: str
    next: str = "next"
    previous: str | None = None
    header: str | None = None
    """C type at the start of each used area, and its members:"""
    size: str | None = None
    magic: str | None = None
    blocks: str | None = None
    frames: str | None = None
    bytes: str | None = None
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
    caches: str
    """Head of a circular list of:"""
    cache: str
    """C type of a cache's record, and its members:"""
    link: str
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
    slab_header: str
    """Bytes from the page's start to the header."""
    slab_cache: str
    """Address of the record of its cache."""
    free: str
    """Address of the first free object's link."""
    in_use: str | None = None
    key: str | None = None
    """What must be the header's own virtual address."""
    state: str | None = None
    """An array of words with one bit an object, 1 in a live one."""
    next: str = "next"
    previous: str | None = None
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
    blocks: str
    """Head of a circular list of:"""
    block: str
    """C type of a block's header, and its members:"""
    link: str
    size: str
    """Bytes, without the header."""
    pages: str
    key: str | None = None
    """What must be the header's own virtual address."""
    next: str = "next"
    previous: str | None = None
    count: str | None = None
    """Counters: blocks …"""
    bytes: str | None = None
    frames: str | None = None
    owner: str | None = None
    """The frame table's name for the blocks' frames."""
    chosen: str | None = None
    """True in a boot that has it in use; without it, every boot has."""


@dataclass(frozen=True)
class Metadata:
    """Frames that hold the memory manager's own records, beyond its static data.

    Either one run of ``length`` bytes at ``start``, or a ``chain`` of single frames.
    """

    name: str
    start: str | None = None
    length: str | None = None
    chain: str | None = None
    next: str | None = None
    reserved: bool = False
    """Taken before the frame allocator existed."""
    owner: str | None = None
    chosen: str | None = None
    """True in a boot that has it in use; without it, every boot has."""


@dataclass(frozen=True)
class Held:
    """One bit a frame, bit 0 of word 0 first: 1 while a caller of the frame interface holds it.

    Kept by a kernel whose frame allocator does not note who holds its frames.
    """

    words: str
    bits: str
    chosen: str | None = None
    """True in a boot that has it in use; without it, every boot has."""


@dataclass(frozen=True)
class Tape:
    """A boot module full of operations that the kernel carries out at one command.

    The members of its structures have fixed names: those that ``kernel/tape/tape.h`` gives them.
    """

    module: str
    """The last word of the module's string."""
    run: str
    """The monitor's command, with ``{count}``."""
    header: str
    """C type at the module's start, and those of the elements of its three arrays:"""
    operation: str
    result: str
    slot: str
    names: str
    """How the kernel's enumerators are called, with ``{name}``: a kind, a flag, MAGIC or WRONG."""


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


@dataclass(frozen=True)
class Description:
    """All that a ``harness.toml`` says."""

    name: str = ""
    build: Build | None = None
    boot: Boot = field(default_factory=Boot)
    presets: tuple[Preset, ...] = ()
    console: Console = field(default_factory=Console)
    monitor: Monitor | None = None
    zones: tuple[Zone, ...] = ()
    firmware_map: FirmwareMap = field(default_factory=FirmwareMap)
    moments: Mapping[str, str] = field(default_factory=dict, hash=False)
    """Name of an instant of the boot → function before whose first instruction it is."""
    page_tables: PageTables = field(default_factory=PageTables)
    frame_table: FrameTable | None = None
    free_lists: tuple[FreeLists, ...] = ()
    pair_maps: tuple[PairMap, ...] = ()
    held: Held | None = None
    bitmaps: tuple[Bitmap, ...] = ()
    bumps: tuple[Bump, ...] = ()
    heaps: tuple[Heap, ...] = ()
    caches: tuple[Caches, ...] = ()
    large_blocks: tuple[LargeBlocks, ...] = ()
    subblock_heaps: tuple[SubblockHeap, ...] = ()
    metadata: tuple[Metadata, ...] = ()
    address_spaces: AddressSpaces | None = None
    tape: Tape | None = None
    path: Path | None = field(default=None, metadata={"toml": False})
    """Where it was read from."""

    @property
    def source(self) -> Path | None:
        """Folder of the description: the kernel's source."""
        return self.path.parent if self.path else None

    @property
    def allocators(self) -> tuple[Bitmap | Bump, ...]:
        """Every allocator that has a moment at which it is in charge."""
        return (*self.bitmaps, *self.bumps)

    @property
    def bundled(self) -> bool:
        """Whether it is that of the kernel that comes with the harness."""
        return self.path == bundled_path()

    @staticmethod
    def none() -> Description:
        """Return the description of a kernel of which nothing is known."""
        return Description()


def bundled_path() -> Path:
    """Return where the description of the kernel that comes with the harness stands."""
    package = Path(__file__).resolve().parents[1]
    # An installed package has the kernel inside, a checkout beside it.
    installed = package / "bundled" / "kernel" / "harness.toml"
    return installed if installed.exists() else package.parent / "kernel" / "harness.toml"


def bundled_description() -> Description:
    """Read the description of the kernel that comes with the harness."""
    return load_description(bundled_path())


def load_description(path: Path) -> Description:
    """Read and check ``path``; raise :class:`DescriptionError` with file and line."""
    document = read_toml(path)
    reader = TableReader(document)
    description = reader.read(Description, path=path.resolve())
    _check_patterns(reader, description)
    _check_zones(reader, description)
    _check_names(reader, description)
    _check_free_lists(reader, description)
    _check_subblock_heaps(reader, description)
    return description


def _check_patterns(reader: TableReader, description: Description) -> None:
    monitor = description.monitor
    if monitor is None:
        return
    for placeholder in ("{tag}", "{command}"):
        if placeholder not in monitor.request:
            raise reader.error(("monitor", "request"), f"needs {placeholder}")
    if "{tag}" not in monitor.answer:
        raise reader.error(("monitor", "answer"), "needs {tag}")
    try:
        groups = re.compile(monitor.answer.replace("{tag}", "0")).groupindex
    except re.error as error:
        message = f"not a regular expression: {error}"
        raise reader.error(("monitor", "answer"), message) from None
    if "status" not in groups:
        raise reader.error(("monitor", "answer"), "needs a group (?P<status>…)")
    _check_commands(reader, monitor)


def _check_commands(reader: TableReader, monitor: Monitor) -> None:
    names = [command.name for command in monitor.commands]
    for index, command in enumerate(monitor.commands):
        complaint = command.complaint()
        if names.index(command.name) != index:
            complaint = f"there is a command {command.name!r} already"
        if complaint:
            raise reader.error(("monitor", "commands", index), complaint)


def _check_zones(reader: TableReader, description: Description) -> None:
    previous = 0
    for index, zone in enumerate(description.zones):
        if zone.end <= previous:
            where: Where = ("zones", index, "end")
            raise reader.error(where, f"0x{zone.end:x} does not lie behind 0x{previous:x}")
        previous = zone.end


def _check_names(reader: TableReader, description: Description) -> None:
    where: Where
    _check_presets(reader, description)
    moments = {"ready", *description.moments}
    for kind in ("bitmaps", "bumps"):
        for index, allocator in enumerate(getattr(description, kind)):
            if allocator.moment not in moments:
                known = ", ".join(sorted(moments))
                where = (kind, index, "moment")
                raise reader.error(where, f"no moment {allocator.moment!r}; there are {known}")
    if "ready" in description.moments:
        raise reader.error(("moments", "ready"), "this name is taken by [console] ready")
    firmware = description.firmware_map
    table = (firmware.array, firmware.count, firmware.start, firmware.end, firmware.usable)
    if None in table and any(table):
        raise reader.error(("firmware_map",), "array needs count, start, end and usable")
    for index, area in enumerate(description.metadata):
        run = area.start is not None and area.length is not None
        chain = area.chain is not None and area.next is not None
        if run == chain:
            raise reader.error(("metadata", index), "needs start and length, or chain and next")
    records = {area.name for area in description.metadata}
    for index, bitmap in enumerate(description.bitmaps):
        if bitmap.metadata not in {None, *records}:
            raise reader.error(
                ("bitmaps", index, "metadata"), f"no [[metadata]] named {bitmap.metadata!r}"
            )


_CHUNK = 4096
"""Bytes of a page, of which blocks of sub-blocks are made."""


def _check_subblock_heaps(reader: TableReader, description: Description) -> None:
    for index, heap in enumerate(description.subblock_heaps):
        if not heap.subblock or _CHUNK % heap.subblock:
            where: Where = ("subblock_heaps", index, "subblock")
            raise reader.error(where, f"{_CHUNK} is no multiple of {heap.subblock}")


def _check_free_lists(reader: TableReader, description: Description) -> None:
    for index, lists in enumerate(description.free_lists):
        if lists.links == "physical":
            _check_physical_links(reader, index, lists)
        elif lists.nodes == "frame_table" and description.frame_table is None:
            raise reader.error(("free_lists", index, "nodes"), "there is no [frame_table]")
    for index, pairs in enumerate(description.pair_maps):
        if pairs.name not in {lists.name for lists in description.free_lists}:
            raise reader.error(("pair_maps", index, "name"), "no [[free_lists]] has this name")
        if (pairs.managed is None) != (pairs.managed_bits is None):
            raise reader.error(("pair_maps", index), "managed and managed_bits go together")


def _check_physical_links(reader: TableReader, index: int, lists: FreeLists) -> None:
    if lists.nodes != "block" or lists.style != "null":
        message = 'physical links need nodes = "block" and style = "null"'
        raise reader.error(("free_lists", index, "links"), message)
    if lists.node is None:
        raise reader.error(("free_lists", index, "links"), "physical links need node, a C type")


def _check_presets(reader: TableReader, description: Description) -> None:
    where: Where
    names = [preset.name for preset in description.presets]
    settable = description.build.variables if description.build else ()
    for index, preset in enumerate(description.presets):
        if names.index(preset.name) != index:
            where = ("presets", index, "name")
            raise reader.error(where, f"there is a preset {preset.name!r} already")
        for name in preset.variables:
            if name not in settable:
                known = ", ".join(settable) or "none"
                where = ("presets", index, "variables", name)
                raise reader.error(where, f"is not among [build] variables ({known})")
