"""What each byte of a heap's pages is: header, live, free or padding."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from harness.decode.belief.heaps import EXTENT, ByteKind, Heap, HeapBytes, LargeBlocks
from harness.decode.belief.paging import FRAME_SIZE
from harness.decode.belief.slabs import Cache, Caches, Slab

MAX_PAGES = 1 << 20
"""Of all areas or blocks together: 4 GiB. Who claims more is reported elsewhere."""

Extent = tuple[int, int, int]
Extents = npt.NDArray[np.void]


def bytes_of_areas(heap: Heap) -> HeapBytes:
    """Return the bytes of a heap that gives each block an area of its own."""
    extents: list[Extent] = []
    pages: list[range] = []
    used = [area for area in heap.areas if area.used]
    for area, count in zip(used, believed([area.pages for area in used]), strict=True):
        if area.block is not None and area.pages == count:
            end = area.start + count * FRAME_SIZE
            extents += _block(area.start, heap.header_size, area.block.size, end)
            pages.append(range(area.start, end, FRAME_SIZE))
    return HeapBytes(heap.name, _pages(pages), _sorted(extents))


def bytes_of_large_blocks(blocks: LargeBlocks) -> HeapBytes:
    """Return the bytes of blocks that have whole pages to themselves."""
    extents: list[Extent] = []
    pages: list[range] = []
    for block, count in zip(
        blocks.blocks, believed([block.pages for block in blocks.blocks]), strict=True
    ):
        if block.pages == count:
            end = block.header + count * FRAME_SIZE
            extents += _block(block.header, blocks.header_size, block.size, end)
            pages.append(range(block.header, end, FRAME_SIZE))
    return HeapBytes(blocks.name, _pages(pages), _sorted(extents))


def bytes_of_slabs(caches: Caches) -> HeapBytes:
    """Return the bytes of all slabs of all caches."""
    slabs = [(cache, slab) for cache in caches.caches for slab in cache.slabs]
    pages = np.array([slab.page for _, slab in slabs], dtype=np.uint64)
    parts = [_slab(cache, slab) for cache, slab in slabs]
    extents = np.concatenate(parts) if parts else np.empty(0, dtype=EXTENT)
    return HeapBytes(caches.name, np.sort(pages), np.sort(extents, order=("start", "end")))


def believed(pages: list[int]) -> list[int]:
    """Return how many pages of each block are looked at: all, or one where that cannot be.

    Together they cannot be more than there is address space.
    """
    left, found = MAX_PAGES, []
    for count in pages:
        some = count if 0 < count <= left else 1
        left -= min(some, left)
        found.append(some)
    return found


def _block(start: int, header: int, size: int, end: int) -> Iterator[Extent]:
    """Yield the parts of a block with a header in front; none has no bytes."""
    yield start, start + header, ByteKind.HEADER
    if size > 0:
        yield start + header, start + header + size, ByteKind.LIVE
    if start + header + size < end:
        yield start + header + size, end, ByteKind.PADDING


def _slab(cache: Cache, slab: Slab) -> Extents:
    """Return the parts of a slab's page, in ascending order."""
    free = np.zeros(cache.capacity, dtype=np.bool_)
    free[slab.free] = True
    starts = slab.page + cache.pitch * np.arange(cache.capacity)
    objects = np.where(free, int(ByteKind.FREE), int(ByteKind.LIVE))
    borders, kinds = _slot(cache)
    rows = np.empty((cache.capacity, len(kinds)), dtype=EXTENT)
    for column, kind in enumerate(kinds):
        rows["start"][:, column] = starts + borders[column]
        rows["end"][:, column] = starts + borders[column + 1]
        rows["kind"][:, column] = objects if kind is ByteKind.LIVE else int(kind)
    used = slab.page + cache.capacity * cache.pitch
    header = slab.page + cache.header.start
    end = slab.page + cache.header.stop
    ending = np.array(
        [
            (used, header, ByteKind.PADDING),
            (header, end, ByteKind.HEADER),
            (end, slab.page + FRAME_SIZE, ByteKind.PADDING),
        ],
        dtype=EXTENT,
    )
    everything = np.concatenate([rows.reshape(-1), ending])
    found: Extents = everything[everything["start"] != everything["end"]]
    return found


def _slot(cache: Cache) -> tuple[list[int], list[ByteKind]]:
    """Return offsets in a slot at which something else begins, and what does; parts may be empty.

    A link outside the object is the allocator's, like a header.
    """
    end = cache.first + cache.size
    link = cache.first + cache.bufctl
    if link < end:
        return [0, cache.first, end, cache.pitch], [
            ByteKind.PADDING,
            ByteKind.LIVE,
            ByteKind.PADDING,
        ]
    return [0, cache.first, end, link, link + 4, cache.pitch], [
        ByteKind.PADDING,
        ByteKind.LIVE,
        ByteKind.PADDING,
        ByteKind.HEADER,
        ByteKind.PADDING,
    ]


def _pages(found: list[range]) -> npt.NDArray[np.uint64]:
    parts = [np.arange(one.start, one.stop, one.step, dtype=np.uint64) for one in found]
    return np.sort(np.concatenate(parts)) if parts else np.empty(0, dtype=np.uint64)


def _sorted(extents: list[Extent]) -> Extents:
    return np.sort(np.array(extents, dtype=EXTENT), order=("start", "end"))
