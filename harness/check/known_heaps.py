"""What heaps and caches say of a virtual address: its block or object, and what the byte is."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from harness.check.known import Fact
from harness.check.runs import FRAME_SIZE, counted
from harness.decode.belief.heaps import ByteKind, HeaderChain, Heap, HeapArea, SubblockHeap
from harness.decode.belief.slabs import Cache, Slab
from harness.decode.state import MemoryState
from harness.decode.subblock_map import block_of, runs_of

_KINDS = {
    ByteKind.HEADER: "the heap's own byte",
    ByteKind.LIVE: "a byte of somebody's",
    ByteKind.FREE: "a free byte",
    ByteKind.PADDING: "a byte that rounding up leaves over",
}


def known_to_heaps(state: MemoryState, virtual: int) -> Iterator[Fact]:
    """Yield what each heap says of a virtual address; nothing when it is in none."""
    for heap in state.heaps:
        for area in heap.areas:
            if area.start <= virtual < area.start + area.pages * FRAME_SIZE:
                yield Fact(f"heap {heap.name}", _area(heap, area, virtual))
    for subblocks in state.subblock_heaps:
        yield from _subblock(subblocks, virtual)
    for chain in state.header_chains:
        yield from _chain(chain, virtual)
    for caches in state.caches:
        for cache in caches.caches:
            for slab in cache.slabs:
                if slab.page <= virtual < slab.page + FRAME_SIZE:
                    yield Fact(f"caches {caches.name}", _object(cache, slab, virtual - slab.page))
            if cache.address == virtual:
                yield Fact(f"caches {caches.name}", f"the record of the cache {cache.name}")
    for blocks in state.large_blocks:
        for block in blocks.blocks:
            if block.header <= virtual < block.header + block.pages * FRAME_SIZE:
                words = _within(virtual - block.header, blocks.header_size, block.size)
                yield Fact(f"heap {blocks.name}", f"{words} at virtual 0x{block.header:x}")
    yield from _byte(state, virtual)


def _area(heap: Heap, area: HeapArea, virtual: int) -> str:
    where = f"of the area of {counted(area.pages, 'page')} at virtual 0x{area.start:x}"
    if not area.used:
        return f"byte 0x{virtual - area.start:x} {where}, which is free"
    if area.block is None:
        return f"byte 0x{virtual - area.start:x} {where}, whose header cannot be read"
    words = _within(virtual - area.block.header, heap.header_size, area.block.size)
    broken = "" if area.block.magic_good else ", with its magic overwritten"
    return f"{words} {where}{broken}"


def _within(offset: int, header: int, size: int) -> str:
    """Return where in a block with a header an offset is."""
    if offset < header:
        return f"byte 0x{offset:x} of the header of the block of {size} bytes"
    if offset < header + size:
        return f"byte 0x{offset - header:x} of the block of {size} bytes"
    return f"0x{offset - header - size:x} bytes behind the block of {size} bytes"


def _subblock(heap: SubblockHeap, virtual: int) -> Iterator[Fact]:
    starts = heap.blocks["start"]
    ends = starts + heap.blocks["chunks"] * FRAME_SIZE
    for block in np.flatnonzero((starts <= virtual) & (virtual < ends)).tolist():
        index = int(heap.borders[block]) + (virtual - int(starts[block])) // heap.subblock
        runs = runs_of(heap)
        run = int(np.searchsorted(runs.first, index, side="right")) - 1
        span = (int(runs.first[run]), int(runs.end[run]))
        base = int(starts[int(block_of(heap, np.array([index]))[0])])
        begin, end = (base + (one - int(heap.borders[block])) * heap.subblock for one in span)
        yield Fact(
            f"heap {heap.name}",
            f"sub-block {index - int(heap.borders[block])} of the block at virtual 0x{base:x}, map "
            f"byte {int(heap.map[index])}, run 0x{begin:x}-0x{end - 1:x}",
        )


def _chain(chain: HeaderChain, virtual: int) -> Iterator[Fact]:
    headers = chain.blocks["header"]
    ends = headers + chain.header_size + chain.blocks["size"]
    for index in np.flatnonzero((headers <= virtual) & (virtual < ends)).tolist():
        block = chain.blocks[index]
        words = _within(virtual - int(block["header"]), chain.header_size, int(block["size"]))
        use = "used" if block["used"] else "free"
        broken = "" if block["good"] else ", its magic overwritten"
        where = f"at virtual 0x{int(block['header']):x}"
        yield Fact(f"heap {chain.name}", f"{words} {where}, {use}{broken}")


def _object(cache: Cache, slab: Slab, offset: int) -> str:
    where = f"of the {slab.listed} slab at virtual 0x{slab.page:x} of {cache.name}"
    if offset in cache.header:
        return f"byte 0x{offset - cache.header.start:x} of the header {where}"
    index, within = divmod(offset - cache.first, cache.pitch) if cache.pitch else (-1, 0)
    if not 0 <= index < cache.capacity:
        return f"in no object {where}"
    use = "free" if index in slab.free else "live"
    if within >= cache.size:
        return f"0x{within - cache.size:x} bytes behind object {index} ({use}) {where}"
    return f"byte 0x{within:x} of object {index} ({use}, {cache.size} bytes) {where}"


def _byte(state: MemoryState, virtual: int) -> Iterator[Fact]:
    """Yield what kind of byte it is by the heap's own account."""
    for heap in state.heap_bytes:
        place = int(np.searchsorted(heap.extents["start"], virtual, side="right")) - 1
        if place >= 0 and virtual < int(heap.extents["end"][place]):
            yield Fact(f"bytes of {heap.name}", _KINDS[ByteKind(int(heap.extents["kind"][place]))])
