"""The byte ledger: every byte of a heap's pages is one thing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.check.heap_bytes import check_heap_bytes
from harness.decode.belief.heaps import (
    EXTENT,
    ByteKind,
    Heap,
    HeapArea,
    HeapBlock,
    HeapBytes,
    LargeBlock,
    LargeBlocks,
)
from harness.decode.belief.slabs import Cache, Caches, Slab
from harness.decode.heap_bytes import bytes_of_areas, bytes_of_large_blocks, bytes_of_slabs
from tests.check import example

PAGE = 4096
START = 0xC0200000
HEADER, LIVE, FREE, PADDING = ByteKind

GOOD = [(0, 8, HEADER), (8, 5000, LIVE), (5000, 2 * PAGE, PADDING)]


def heap(extents: list[tuple[int, int, int]], pages: list[int] | None = None) -> HeapBytes:
    """Return a heap of two pages and extents relative to its start."""
    rows = [(START + start, START + end, kind) for start, end, kind in extents]
    numbers = [0, 1] if pages is None else pages
    return HeapBytes(
        "bytes",
        np.array([START + number * PAGE for number in numbers], dtype=np.uint64),
        np.array(rows, dtype=EXTENT),
    )


def reports(found: HeapBytes) -> list[tuple[str, int | None]]:
    state = replace(example.state(), heap_bytes=(found,))
    return [(v.kind.removeprefix("heap-bytes."), v.address) for v in check_heap_bytes(state)]


def test_a_right_heap_is_silent() -> None:
    assert reports(heap(GOOD)) == []
    assert reports(heap([], pages=[])) == []


@pytest.mark.parametrize(
    ("extents", "kind", "place"),
    [
        ([(0, 8, HEADER), (9, 2 * PAGE, LIVE)], "gap", 8),
        ([(0, 8, HEADER), (8, 2 * PAGE - 1, LIVE)], "gap", 2 * PAGE - 1),
        ([(8, 2 * PAGE, LIVE)], "gap", 0),
        ([(0, 9, HEADER), (8, 2 * PAGE, LIVE)], "overlap", 8),
        ([(0, 2 * PAGE, LIVE), (8, 16, FREE)], "overlap", 8),
        ([*GOOD, (2 * PAGE, 2 * PAGE + 1, PADDING)], "outside", 2 * PAGE),
        ([(0, 0, HEADER), (0, 2 * PAGE, LIVE)], "empty", 0),
    ],
)
def test_each_wrong_byte_is_told(
    extents: list[tuple[int, int, int]], kind: str, place: int
) -> None:
    assert reports(heap(extents)) == [(kind, START + place)]


def test_a_page_that_is_there_twice() -> None:
    assert reports(heap(GOOD, pages=[0, 1, 1])) == [("page-twice", START + PAGE)]


def test_a_page_in_a_hole_of_the_heap() -> None:
    assert reports(heap([*GOOD, (3 * PAGE, 4 * PAGE, FREE)], pages=[0, 1, 2])) == [
        ("gap", START + 2 * PAGE),
        ("outside", START + 3 * PAGE),
    ]


def in_words(found: HeapBytes) -> list[tuple[int, int, ByteKind]]:
    return [
        (start - START, end - START, ByteKind(kind)) for start, end, kind in found.extents.tolist()
    ]


def test_a_block_with_an_area_of_its_own() -> None:
    areas = (
        HeapArea(START, 2, True, HeapBlock(START, 4992, magic_good=True)),
        HeapArea(START + 2 * PAGE, 5, False, None),
    )
    found = bytes_of_areas(Heap("bytes", START, START + 7 * PAGE, areas, 8, "heap"))
    assert in_words(found) == GOOD
    assert reports(found) == []


def test_a_size_beyond_its_block_is_outside() -> None:
    areas = (HeapArea(START, 2, True, HeapBlock(START, 9000, magic_good=True)),)
    found = bytes_of_areas(Heap("bytes", START, START + 7 * PAGE, areas, 8, "heap"))
    assert reports(found) == [("outside", START + 2 * PAGE)]


def test_pages_that_cannot_be_are_not_listed() -> None:
    block = LargeBlock(START, np.array([512]), 100, 0xFFFFFFFF, True)
    found = bytes_of_large_blocks(LargeBlocks("bytes", (block,) * 3, 32, "heap"))
    assert len(found.pages) == 0


@pytest.mark.parametrize(
    ("first", "size", "bufctl", "slot"),
    [
        (0, 500, 0, [(0, 500, LIVE), (500, 1000, PADDING)]),
        (0, 500, 500, [(0, 500, LIVE), (500, 504, HEADER), (504, 1000, PADDING)]),
        (
            16,
            500,
            508,
            [
                (0, 16, PADDING),
                (16, 516, LIVE),
                (516, 524, PADDING),
                (524, 528, HEADER),
                (528, 1000, PADDING),
            ],
        ),
    ],
    ids=["plain", "link behind", "red zones"],
)
def test_a_slab(first: int, size: int, bufctl: int, slot: list[tuple[int, int, ByteKind]]) -> None:
    slab = Slab(START, 512, "partial", 0, True, np.array([2, 0]))
    shape = {"size": size, "pitch": 1000, "first": first, "bufctl": bufctl, "capacity": 4}
    cache = Cache("a", 0, header=range(4008, 4096), slabs=(slab,), **shape)
    found = bytes_of_slabs(Caches("slab", (cache,), "slab"))
    kinds = {0: FREE, 1: LIVE, 2: FREE, 3: LIVE}
    expected = [
        (1000 * index + start, 1000 * index + end, kinds[index] if kind is LIVE else kind)
        for index in range(4)
        for start, end, kind in slot
    ]
    assert in_words(found) == [*expected, (4000, 4008, PADDING), (4008, 4096, HEADER)]
    assert reports(found) == []


def test_a_slab_on_two_lists() -> None:
    slab = Slab(START, 512, "partial", 0, True, np.array([0]))
    shape = {"size": 4008, "pitch": 4008, "first": 0, "bufctl": 0, "capacity": 1}
    cache = Cache("a", 0, header=range(4008, 4096), slabs=(slab, slab), **shape)
    kinds = {kind for kind, _ in reports(bytes_of_slabs(Caches("slab", (cache,), "slab")))}
    assert kinds == {"page-twice", "overlap"}
