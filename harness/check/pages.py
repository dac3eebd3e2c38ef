"""Mappings page by page, whatever the size of the page that the tables use."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.check.runs import FRAME_SIZE
from harness.decode.belief.heaps import Heap
from harness.decode.belief.paging import PageTables

ABSENT = -1


@dataclass(frozen=True)
class MappedPages:
    """The mapped 4 KiB pages of a stretch of virtual addresses; one element a page."""

    page: npt.NDArray[np.int64]
    """Index of the page within the stretch."""
    frame: npt.NDArray[np.int64]
    mapping: npt.NDArray[np.int64]
    """Index of the page's element in ``entries``."""
    entries: npt.NDArray[np.void]
    """The stretch's part of :attr:`PageTables.mappings`."""


def mapped_pages(tables: PageTables, pages: range) -> MappedPages:
    """Return the mapped ones of the virtual ``pages`` (addresses divided by 4096)."""
    entries = _overlapping(tables.mappings, pages)
    counts = (entries["size"] // FRAME_SIZE).astype(np.int64)
    mapping = np.repeat(np.arange(len(entries)), counts)
    within = np.arange(len(mapping)) - np.repeat(np.cumsum(counts) - counts, counts)
    page = (entries["virtual"] // FRAME_SIZE).astype(np.int64)[mapping] + within - pages.start
    frame = (entries["physical"] // FRAME_SIZE).astype(np.int64)[mapping] + within
    inside = (page >= 0) & (page < len(pages))
    if inside.all():
        return MappedPages(page, frame, mapping, entries)
    return MappedPages(page[inside], frame[inside], mapping[inside], entries)


def _overlapping(mappings: npt.NDArray[np.void], pages: range) -> npt.NDArray[np.void]:
    virtual = mappings["virtual"]
    first = int(np.searchsorted(virtual, pages.start * FRAME_SIZE, side="right"))
    last = int(np.searchsorted(virtual, pages.stop * FRAME_SIZE, side="left"))
    return mappings[max(0, first - 1) : last]


def frames_behind(tables: PageTables, addresses: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the frame behind each virtual address, or ABSENT."""
    mappings = tables.mappings
    if not len(mappings):
        return np.full(len(addresses), ABSENT, dtype=np.int64)
    virtual = mappings["virtual"].astype(np.int64)
    row = np.maximum(np.searchsorted(virtual, addresses, side="right") - 1, 0)
    within = addresses - virtual[row]
    mapped = (within >= 0) & (within < mappings["size"][row].astype(np.int64))
    frames = (mappings["physical"][row].astype(np.int64) + within) // FRAME_SIZE
    return np.where(mapped, frames, ABSENT)


def heap_range(heap: Heap) -> range:
    """Return the virtual pages that a heap may use."""
    return range(heap.start // FRAME_SIZE, max(heap.start, heap.end) // FRAME_SIZE)


def page_frames(heap: Heap, tables: PageTables) -> npt.NDArray[np.int64]:
    """Return the frame behind each page of a heap's virtual addresses, or ABSENT."""
    frames = np.full(len(heap_range(heap)), ABSENT, dtype=np.int64)
    mapped = mapped_pages(tables, heap_range(heap))
    frames[mapped.page] = mapped.frame
    return frames


def used_pages(heap: Heap) -> npt.NDArray[np.bool_]:
    """Return for each page of the heap's addresses whether a used area claims it."""
    pages = np.zeros(len(heap_range(heap)), dtype=np.bool_)
    for area in heap.areas:
        first = (area.start - heap.start) // FRAME_SIZE
        if area.used and first >= 0:
            pages[first : first + max(0, area.pages)] = True
    return pages


def heap_frames(heap: Heap, tables: PageTables) -> npt.NDArray[np.int64]:
    """Return the frames behind the pages of used areas, one element a mapped page."""
    frames = page_frames(heap, tables)
    found: npt.NDArray[np.int64] = frames[used_pages(heap) & (frames != ABSENT)]
    return found
