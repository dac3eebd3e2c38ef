"""A small machine and the state of a correct memory manager on it, made by hand.

5 MiB of RAM with the usual hole below 1 MiB, cut into three zones at 2 and 4 MiB; the linear map
reaches 4 MiB. Every number below is a frame unless said otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from harness.check.model import Model
from harness.decode.belief.frames import FrameTable, FreeList, FreeLists, MapRegion, Metadata
from harness.decode.belief.heaps import Heap, HeapArea, HeapBlock
from harness.decode.belief.paging import MAPPING, ControlRegisters, PageTables
from harness.decode.state import MemoryState
from harness.image.description import load_description
from harness.image.kernel_image import KernelImage, Segment
from harness.maps.memory_map import MemoryMap
from harness.maps.region import Region

PAGE = 4096
BASE = 0xC0000000
FRAMES = 0x500
LOW_END = 0x9F  # the frame that the EBDA begins in the middle of
IMAGE = range(0x100, 0x105)
TEXT = range(0x100, 0x102)
GUARD = 0x103
MODULE = 9
DIRECTORY, LINEAR_TABLE, HEAP_TABLE, WINDOW_TABLE = 0x120, 0x121, 0x122, 0x104
MEM_MAP = range(0x130, 0x134)
RECORDS = 0x140
HELD = range(0x150, 0x152)
HEAP_FRAMES = (0x480, 0x4C0)
HEAP_START, HEAP_END = 0xF8400000, 0xF8410000
WINDOW = 0xFFC00000
ZONE_ENDS = (0x200, 0x400, 0x100000)
MAX_ORDER = 10

DESCRIPTION = """
name = "example"
[[zones]]
name = "dma"
end = 0x200000
[[zones]]
name = "normal"
end = 0x400000
[[zones]]
name = "high"
end = 0x100000000
[moments]
early = "hand_over"
[[page_tables.linear]]
name = "direct map"
virtual = 0xC0000000
end = 0xC0400000
frames = ["usable", "image"]
writable = true
global = true
except = [["0xC0000000", "0xC0001000"], ["0xC0103000", "0xC0104000"]]
[[page_tables.window]]
name = "window"
virtual = 0xFFC00000
end = 0x100000000
[frame_table]
array = "table"
count = "table_length"
free = "flags & 1"
order = "order"
reserved = "flags & 2"
users = "users"
zone = "zone"
[frame_table.owners]
"page table" = "flags & 4"
"heap" = "flags & 8"
"metadata" = "flags & 16"
"held" = "flags & 32"
[[free_lists]]
name = "buddy"
head = "lists[zone][order]"
merged = true
[[bitmaps]]
name = "bootmem"
moment = "early"
words = "bitmap"
bits = "bits"
chosen = "early_one == 1"
[[bumps]]
name = "memblock"
moment = "early"
array = "ranges"
count = "count"
start = "start"
cursor = "cursor"
end = "end"
chosen = "early_one == 2"
[[heaps]]
name = "blocks"
start = "0xF8400000"
end = "0xF8410000"
areas = "areas"
area = "struct area"
link = "list"
area_start = "start"
area_pages = "pages"
area_used = "used"
header = "struct header"
size = "size"
magic = "magic == 1"
owner = "heap"
"""


@dataclass(frozen=True)
class Placement:
    """What a boot loader left in memory; bytes."""

    name: str
    start: int
    length: int


def kernel(folder: Path) -> KernelImage:
    """Return an image with read-only text and writable data, described by ``DESCRIPTION``."""
    path = folder / "harness.toml"
    path.write_text(DESCRIPTION)
    return KernelImage(
        path=folder / "kernel.elf",
        build_id="example",
        entry=0x100000,
        segments=(
            Segment(0x100000, BASE + 0x100000, b"", 0x2000, writable=False, executable=True),
            Segment(0x102000, BASE + 0x102000, b"", 0x2801, writable=True, executable=False),
        ),
        description=load_description(path),
    )


def memory_map() -> MemoryMap:
    """Return the firmware's map; the module and the image lie in usable memory."""
    return MemoryMap(
        (Region(0, 0x9FC00, 1), Region(0x9FC00, 0x400, 2), Region(1 << 20, 4 << 20, 1))
    )


def model(folder: Path) -> Model:
    """Return the model of the machine."""
    module = Placement("module", MODULE * PAGE + 0x10, 0x20)
    return Model.of(kernel(folder), memory_map(), (range(FRAMES * PAGE),), (module,))


def firmware_map() -> tuple[MapRegion, ...]:
    """Return the kernel's own table of the map, with a reserved region of a page."""
    return (
        MapRegion(0, LOW_END, True),
        MapRegion(LOW_END, LOW_END + 1, False),
        MapRegion(0x100, FRAMES, True),
    )


def usable() -> set[int]:
    """Return the frames that are RAM."""
    return {*range(LOW_END), *range(0x100, FRAMES)}


def owners() -> dict[str, set[int]]:
    """Return the frames of each owner that the frame table marks."""
    return {
        "page table": {DIRECTORY, LINEAR_TABLE, HEAP_TABLE},
        "heap": set(HEAP_FRAMES),
        "metadata": {RECORDS},
        "held": set(HELD),
    }


def reserved() -> set[int]:
    """Return the frames that no allocator may ever have."""
    return (set(range(FRAMES)) - usable()) | {0, MODULE, *IMAGE, *MEM_MAP}


def zone_of(frame: int) -> int:
    """Return the index of a frame's zone."""
    return next(index for index, end in enumerate(ZONE_ENDS) if frame < end)


def free_blocks() -> dict[tuple[int, int], list[int]]:
    """Return the merged free blocks by (zone, order), joined two by two from single frames."""
    free = usable() - reserved() - set().union(*owners().values())
    blocks: dict[tuple[int, int], list[int]] = {}
    for order in range(MAX_ORDER + 1):
        size = 1 << order
        pairs = {
            frame
            for frame in free
            if order < MAX_ORDER
            and frame % (2 * size) == 0
            and frame + size in free
            and zone_of(frame) == zone_of(frame + size)
        }
        for frame in sorted(free - pairs - {pair + size for pair in pairs}):
            blocks.setdefault((zone_of(frame), order), []).append(frame)
        free = pairs
    return blocks


def page_tables() -> PageTables:
    """Return the linear map, the heap's two pages and one temporary mapping."""
    linear = (usable() | set(IMAGE)) - {0, GUARD}
    rows = [
        mapping(BASE + frame * PAGE, frame, writable=frame not in TEXT, table=LINEAR_TABLE)
        for frame in sorted(linear)
        if frame < 0x400
    ]
    rows += [
        mapping(HEAP_START + page * PAGE, frame, table=HEAP_TABLE)
        for page, frame in zip((2, 3), HEAP_FRAMES, strict=True)
    ]
    rows.append(mapping(WINDOW, 0x77, table=WINDOW_TABLE))
    tables = (DIRECTORY, LINEAR_TABLE, HEAP_TABLE, WINDOW_TABLE)
    return PageTables(
        mode="32-bit",
        root=DIRECTORY * PAGE,
        mappings=np.array(rows, dtype=MAPPING),
        tables=np.array([table * PAGE for table in tables], dtype=np.uint64),
        table_virtual=np.array([0, BASE, HEAP_START & ~0x3FFFFF, WINDOW], dtype=np.uint64),
    )


def mapping(
    virtual: int, frame: int, *, writable: bool = True, user: bool = False, table: int = 0
) -> tuple[object, ...]:
    """Return one element of ``PageTables.mappings``: a global 4 KiB page."""
    entry = frame * PAGE | 0x101 | writable << 1 | user << 2
    entry_address = table * PAGE + (virtual >> 12 & 0x3FF) * 4
    return (virtual, frame * PAGE, PAGE, writable, user, True, True, 1, entry, entry_address)


def frame_table() -> FrameTable:
    """Return the frame table that goes with everything else here."""
    blocks = free_blocks()
    free = np.zeros(FRAMES, dtype=np.bool_)
    order = np.zeros(FRAMES, dtype=np.uint8)
    users = np.ones(FRAMES, dtype=np.uint32)
    for (_, size), frames in blocks.items():
        for frame in frames:
            free[frame], order[frame] = True, size
            users[frame : frame + (1 << size)] = 0
    order[HELD.start] = 1
    return FrameTable(
        first_frame=0,
        free=free,
        order=order,
        reserved=mask(reserved()),
        users=users,
        zone=np.array([zone_of(frame) for frame in range(FRAMES)], dtype=np.uint8),
        owners={name: mask(frames) for name, frames in owners().items()},
        storage=(bytes_of(MEM_MAP),),
    )


def mask(frames: set[int]) -> np.ndarray:
    """Return a set of frames as one truth value a frame."""
    found = np.zeros(FRAMES, dtype=np.bool_)
    found[sorted(frames)] = True
    return found


def bytes_of(frames: range) -> range:
    """Return the physical bytes of some frames."""
    return range(frames.start * PAGE, frames.stop * PAGE)


def free_lists() -> FreeLists:
    """Return every list, the empty ones too, with right counters."""
    blocks = free_blocks()
    lists = [
        FreeList(zone, order, np.array(found, dtype=np.int64), len(found))
        for zone in range(3)
        for order in range(MAX_ORDER + 1)
        for found in [blocks.get((zone, order), [])]
    ]
    free = {
        zone: sum(len(found.frames) << found.order for found in lists if found.zone == zone)
        for zone in range(3)
    }
    given = usable() - reserved()
    managed = {zone: sum(zone_of(frame) == zone for frame in given) for zone in range(3)}
    return FreeLists("buddy", tuple(lists), free, managed, merged=True)


def heap() -> Heap:
    """Return a free area, a used one of two pages, and a free one."""
    used = HEAP_START + 2 * PAGE
    block = HeapBlock(header=used, size=5000, magic_good=True)
    return Heap(
        name="blocks",
        start=HEAP_START,
        end=HEAP_END,
        areas=(
            HeapArea(HEAP_START, 2, False, None),
            HeapArea(used, 2, True, block),
            HeapArea(HEAP_START + 4 * PAGE, 12, False, None),
        ),
        header_size=8,
        owner="heap",
        blocks=1,
        bytes=5000,
        frames=2,
    )


def state() -> MemoryState:
    """Return the whole correct state."""
    return MemoryState(
        moment="ready",
        registers=ControlRegisters(cr0=0x80010001, cr3=DIRECTORY * PAGE, cr4=0x80),
        page_tables=page_tables(),
        firmware_map=firmware_map(),
        frame_table=frame_table(),
        free_lists=(free_lists(),),
        heaps=(heap(),),
        metadata=(
            Metadata("frame table", (bytes_of(MEM_MAP),), None),
            Metadata("area records", (bytes_of(range(RECORDS, RECORDS + 1)),), "metadata"),
        ),
    )


def with_list(
    state: MemoryState, zone: int, order: int, frames: list[int], count: int | None = None
) -> MemoryState:
    """Return ``state`` with the blocks of one list replaced; its counter follows by default."""
    allocator = state.free_lists[0]
    new = FreeList(zone, order, np.array(frames, np.int64), len(frames) if count is None else count)
    lists = tuple(
        new if (found.zone, found.order) == (zone, order) else found for found in allocator.lists
    )
    return replace(state, free_lists=(replace(allocator, lists=lists),))
