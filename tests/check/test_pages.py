"""Pages of any size, one 4 KiB page at a time."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from harness.check.pages import mapped_pages
from harness.decode.belief.paging import MAPPING, PageTables

SIZES = (0x1000, 0x200000, 0x400000)


@st.composite
def address_spaces(draw: st.DrawFn) -> list[tuple[int, int, int]]:
    """Return disjoint, ascending (virtual, physical, size), aligned to their sizes."""
    rows, position = [], 0
    for size in draw(st.lists(st.sampled_from(SIZES), max_size=6)):
        gap = draw(st.integers(0, 2))
        virtual = -(-position // size) * size + gap * size
        rows.append((virtual, draw(st.integers(0, 1000)) * size, size))
        position = virtual + size
    return rows


@given(address_spaces(), st.integers(0, 5000), st.integers(0, 5000))
def test_each_mapped_page_has_its_frame(
    rows: list[tuple[int, int, int]], first: int, count: int
) -> None:
    entries = np.zeros(len(rows), dtype=MAPPING)
    for index, row in enumerate(rows):
        entries[index]["virtual"], entries[index]["physical"], entries[index]["size"] = row
    none = np.empty(0, dtype=np.uint64)
    found = mapped_pages(PageTables("32-bit", 0, entries, none, none), range(first, first + count))
    by_hand = {
        page - first: (physical // 4096 + page - virtual // 4096, virtual)
        for virtual, physical, size in rows
        for page in range(virtual // 4096, (virtual + size) // 4096)
        if first <= page < first + count
    }
    virtuals = found.entries["virtual"][found.mapping].tolist()
    pairs = zip(found.frame.tolist(), virtuals, strict=True)
    assert dict(zip(found.page.tolist(), pairs, strict=True)) == by_hand


def test_an_address_space_without_pages() -> None:
    none = np.empty(0, dtype=np.uint64)
    tables = PageTables("none", 0, np.empty(0, dtype=MAPPING), none, none)
    assert len(mapped_pages(tables, range(0x100)).page) == 0
