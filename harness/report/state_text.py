"""A decoded memory manager, in words."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from harness.decode.belief.frames import (
    Bitmap,
    Bump,
    FrameTable,
    FreeLists,
    MapRegion,
    Metadata,
    PairMap,
)
from harness.decode.belief.heaps import HeaderChain, Heap, LargeBlocks, SubblockHeap, SubblockValue
from harness.decode.belief.paging import FRAME_SIZE, ControlRegisters, PageTables
from harness.decode.belief.slabs import Cache, Caches
from harness.decode.state import MemoryState
from harness.decode.subblock_map import runs_of
from harness.image.description import Description
from harness.report.ranges import MappedRange, mapped_ranges
from harness.report.space_text import spaces_text
from harness.report.units import about

_MOST_RANGES = 40
_MOST_BLOCKS = 20


def state_text(state: MemoryState, description: Description) -> str:
    """Return the whole state, one paragraph a structure."""
    zones = [zone.name for zone in description.zones]
    paragraphs = [page_tables_text(state)]
    if state.firmware_map is not None:
        paragraphs.insert(0, firmware_map_text(state.firmware_map))
    if state.frame_table is not None:
        paragraphs.append(frame_table_text(state.frame_table))
    if state.held is not None:
        count = int(np.count_nonzero(state.held.taken))
        paragraphs.append(f"held by callers of the frame interface: {count} frames")
    paragraphs += [free_lists_text(lists, zones) for lists in state.free_lists]
    paragraphs += [pair_map_text(pairs, zones) for pairs in state.pair_maps]
    paragraphs += [bitmap_text(bitmap) for bitmap in state.bitmaps]
    paragraphs += [bump_text(bump) for bump in state.bumps]
    paragraphs += [heap_text(heap) for heap in state.heaps]
    paragraphs += [subblock_heap_text(heap) for heap in state.subblock_heaps]
    paragraphs += [header_chain_text(chain) for chain in state.header_chains]
    paragraphs += [caches_text(caches) for caches in state.caches]
    paragraphs += [large_blocks_text(blocks) for blocks in state.large_blocks]
    if state.address_spaces is not None:
        paragraphs.append(spaces_text(state.address_spaces))
    if state.metadata:
        paragraphs.append(metadata_text(state.metadata))
    if state.faults:
        faults = [f"  {fault.structure}: {fault.message}" for fault in state.faults]
        paragraphs.append("\n".join(["not decodable:", *faults]))
    return "\n\n".join(paragraphs)


def firmware_map_text(regions: tuple[MapRegion, ...]) -> str:
    """Return the kernel's own memory map: its usable frames, and how many other regions."""
    usable = [region for region in regions if region.usable]
    lines = [f"memory map: {len(usable)} usable regions, {len(regions) - len(usable)} others"]
    for region in usable[:_MOST_RANGES]:
        frames = region.end - region.start
        lines.append(
            f"  {region.start * FRAME_SIZE:#010x}-{region.end * FRAME_SIZE:#010x}  "
            f"{frames} frames, {about(frames * FRAME_SIZE)}"
        )
    if len(usable) > _MOST_RANGES:
        lines.append(f"  … and {len(usable) - _MOST_RANGES} more")
    return "\n".join(lines)


def page_tables_text(state: MemoryState) -> str:
    """Return control registers and mapped ranges with their effective rights."""
    heading = tables_heading(state.page_tables, state.registers)
    return "\n".join([heading, *_range_lines(state.page_tables)])


def tables_heading(tables: PageTables, registers: ControlRegisters) -> str:
    """Return how an address space is translated, and how large it is."""
    return (
        f"page tables: {tables.mode}, root at physical {tables.root:#010x}, "
        f"{len(tables.tables)} tables, {len(tables.mappings)} pages "
        f"(CR0 {registers.cr0:#010x}, CR4 {registers.cr4:#010x})"
    )


def _range_lines(tables: PageTables) -> Iterator[str]:
    ranges = mapped_ranges(tables)
    for mapped in ranges[:_MOST_RANGES]:
        yield f"  {range_text(mapped)}"
    if len(ranges) > _MOST_RANGES:
        yield f"  … and {len(ranges) - _MOST_RANGES} more ranges"


def range_text(mapped: MappedRange) -> str:
    """Return where a range of pages leads, and its effective rights."""
    return (
        f"{mapped.start:#010x}-{mapped.end:#010x} -> {mapped.physical:#010x}  "
        f"{mapped.rights}  {about(mapped.page_size)} pages"
    )


def frame_table_text(table: FrameTable) -> str:
    """Return how many frames are what."""
    counts = {name: int(np.count_nonzero(flags)) for name, flags in table.owners.items()}
    counts = {"reserved": int(np.count_nonzero(table.reserved)), **counts}
    words = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    where = _ranges_text(table.storage)
    return f"frame table: {len(table)} frames from {table.first_frame}, at {where}\n  {words}"


def free_lists_text(lists: FreeLists, zones: list[str]) -> str:
    """Return free blocks by zone and order."""
    lines = [f"free lists of {lists.name}: blocks by order, from 0"]
    for zone in sorted({one.zone for one in lists.lists}):
        own = sorted((one for one in lists.lists if one.zone == zone), key=lambda one: one.order)
        frames = sum(len(one.frames) << one.order for one in own)
        blocks = " ".join(f"{len(one.frames):>5}" for one in own)
        name = zones[zone] if zone < len(zones) else str(zone)
        lines.append(f"  {name:<8}{blocks}   {frames} frames, {about(frames * FRAME_SIZE)}")
    return "\n".join(lines)


def pair_map_text(pairs: PairMap, zones: list[str]) -> str:
    """Return what each zone's map covers, and its pairs of which one half is free."""
    lines = [f"pair map of {pairs.name}: pairs with one half free by order, from 0"]
    for index, zone in enumerate(pairs.zones):
        ones = " ".join(f"{np.count_nonzero(bits):>5}" for bits in zone.pairs)
        name = zones[index] if index < len(zones) else str(index)
        lines.append(f"  {name:<8}{ones}   {zone.base:#010x}, {about(zone.size)}")
    return "\n".join(lines)


def bitmap_text(bitmap: Bitmap) -> str:
    """Return how much a bitmap says is taken."""
    if not bitmap.chosen:
        return f"bitmap of {bitmap.name}: not in use"
    if bitmap.gone:
        return f"bitmap of {bitmap.name}: handed over"
    taken = int(np.count_nonzero(bitmap.taken))
    more = f", at {_ranges_text(bitmap.storage)}" if bitmap.storage else ""
    if bitmap.cursor is not None:
        more += f"; the next search begins at frame 0x{bitmap.cursor:x}"
    return (
        f"bitmap of {bitmap.name}: {len(bitmap.taken)} frames from {bitmap.first_frame}, "
        f"{taken} taken, {len(bitmap.taken) - taken} free{more}"
    )


def bump_text(bump: Bump) -> str:
    """Return how far a bump allocator has come in each of its ranges."""
    if not bump.chosen:
        return f"bump allocator {bump.name}: not in use"
    if bump.gone:
        return f"bump allocator {bump.name}: handed over"
    lines = [f"bump allocator {bump.name}: {len(bump.ranges)} ranges"]
    for one in bump.ranges[:_MOST_RANGES]:
        taken, free = about(one.cursor - one.start), about(one.end - one.cursor)
        lines.append(f"  {one.start:#010x}-{one.end:#010x}  {taken} taken, {free} free")
    if len(bump.ranges) > _MOST_RANGES:
        lines.append(f"  … and {len(bump.ranges) - _MOST_RANGES} more ranges")
    return "\n".join(lines)


def heap_text(heap: Heap, most: int = _MOST_BLOCKS) -> str:
    """Return the areas of a heap and their blocks."""
    used = [area for area in heap.areas if area.used]
    lines = [
        f"heap {heap.name}: {heap.start:#010x}-{heap.end:#010x}, {len(heap.areas)} areas, "
        f"{len(used)} used, {sum(area.pages for area in used)} pages"
    ]
    for area in used[:most]:
        block = "no readable header"
        if area.block is not None:
            magic = "" if area.block.magic_good else ", MAGIC OVERWRITTEN"
            block = f"block of {area.block.size} bytes{magic}"
        lines.append(f"  {area.start:#010x}  {area.pages} pages  {block}")
    if len(used) > most:
        lines.append(f"  … and {len(used) - most} more")
    return "\n".join(lines)


def subblock_heap_text(heap: SubblockHeap, most: int = _MOST_BLOCKS) -> str:
    """Return the blocks of a heap of sub-blocks, in list order, and how full they are."""
    blocks = heap.blocks
    lines = [f"heap {heap.name}: {len(blocks)} blocks, {int(blocks['chunks'].sum())} pages"]
    live = runs_of(heap).live
    for index, block in enumerate(blocks[:most]):
        own = live.where(live.block == index)
        free = heap.map[heap.borders[index] : heap.borders[index + 1]] == SubblockValue.FREE
        lines.append(
            f"  {block['start']:#010x}  {block['chunks']} pages  {len(own.first)} allocations, "
            f"{about(int(own.length.sum()) * heap.subblock)} used, "
            f"{about(int(np.count_nonzero(free)) * heap.subblock)} free"
        )
    if len(blocks) > most:
        lines.append(f"  … and {len(blocks) - most} more")
    return "\n".join(lines)


def header_chain_text(chain: HeaderChain, most: int = _MOST_BLOCKS) -> str:
    """Return how many blocks a heap has, and the first of them in the chain's order."""
    used = chain.blocks["used"]
    lines = [
        f"heap {chain.name}: {len(used)} blocks, {int(np.count_nonzero(used))} used, "
        f"{about(int(chain.blocks['size'][used].sum()))} in them"
    ]
    for block in chain.blocks[:most]:
        what = "used" if block["used"] else "free"
        magic = "" if block["good"] else ", MAGIC OVERWRITTEN"
        lines.append(f"  {int(block['header']):#010x}  {what}  {int(block['size'])} bytes{magic}")
    if len(used) > most:
        lines.append(f"  … and {len(used) - most} more")
    return "\n".join(lines)


def caches_text(caches: Caches) -> str:
    """Return each cache's objects and slabs."""
    lines = [f"slab caches of {caches.name}: {len(caches.caches)}"]
    for cache in caches.caches[:_MOST_RANGES]:
        lines.append(f"  {cache_text(cache)}")
    if len(caches.caches) > _MOST_RANGES:
        lines.append(f"  … and {len(caches.caches) - _MOST_RANGES} more")
    return "\n".join(lines)


def cache_text(cache: Cache) -> str:
    """Return how many slabs a cache has, and how full they are."""
    free = sum(len(slab.free) for slab in cache.slabs)
    live = len(cache.slabs) * cache.capacity - free
    return (
        f"{cache.name:<16}objects of {cache.size} bytes, {cache.capacity} a slab: "
        f"{len(cache.slabs)} slabs, {live} live, {free} free"
    )


def large_blocks_text(blocks: LargeBlocks, most: int = _MOST_BLOCKS) -> str:
    """Return the blocks that have pages of their own."""
    pages = sum(block.pages for block in blocks.blocks)
    lines = [f"large blocks of {blocks.name}: {len(blocks.blocks)}, {pages} pages"]
    for block in blocks.blocks[:most]:
        header = "" if block.header_good else ", HEADER OVERWRITTEN"
        lines.append(f"  {block.header:#010x}  {block.pages} pages  {block.size} bytes{header}")
    if len(blocks.blocks) > most:
        lines.append(f"  … and {len(blocks.blocks) - most} more")
    return "\n".join(lines)


def metadata_text(records: tuple[Metadata, ...]) -> str:
    """Return where the memory manager keeps its own records."""
    lines = [f"  {record.name}: {_ranges_text(record.storage)}" for record in records]
    return "\n".join(["records:", *lines])


def _ranges_text(ranges: tuple[range, ...]) -> str:
    shown = [f"{one.start:#010x}-{one.stop:#010x}" for one in ranges[:4]]
    if len(ranges) > len(shown):
        shown.append(f"and {len(ranges) - len(shown)} more")
    return ", ".join(shown) or "nowhere"
