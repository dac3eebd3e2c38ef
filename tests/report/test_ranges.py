"""Pages joined into ranges: only what goes on in both address spaces with the same rights."""

from __future__ import annotations

import numpy as np

from harness.decode.belief.paging import MAPPING, PageTables
from harness.report.ranges import mapped_ranges

PAGE = 4096


def tables(*pages: tuple[int, int, int, bool]) -> PageTables:
    """Return page tables that map (virtual, physical, size, writable)."""
    mappings = np.zeros(len(pages), MAPPING)
    for name, values in zip(
        ("virtual", "physical", "size", "writable"), zip(*pages, strict=True), strict=True
    ):
        mappings[name] = values
    mappings["level"] = np.where(mappings["size"] > PAGE, 2, 1)
    nothing = np.zeros(0, np.uint64)
    return PageTables("32-bit", 0, mappings, nothing, nothing)


def spans(*pages: tuple[int, int, int, bool]) -> list[tuple[int, int, int]]:
    return [(one.start, one.end, one.physical) for one in mapped_ranges(tables(*pages))]


def test_neighbours_in_both_spaces_are_one_range() -> None:
    assert spans((0x1000, 0x8000, PAGE, True), (0x2000, 0x9000, PAGE, True)) == [
        (0x1000, 0x3000, 0x8000)
    ]


def test_neighbours_in_one_space_only_are_two() -> None:
    assert len(spans((0x1000, 0x8000, PAGE, True), (0x2000, 0xA000, PAGE, True))) == 2
    assert len(spans((0x1000, 0x8000, PAGE, True), (0x3000, 0x9000, PAGE, True))) == 2


def test_other_rights_or_page_sizes_are_two() -> None:
    assert len(spans((0x1000, 0x8000, PAGE, True), (0x2000, 0x9000, PAGE, False))) == 2
    large = 4 << 20
    assert len(spans((large - PAGE, large - PAGE, PAGE, True), (large, large, large, True))) == 2


def test_nothing_mapped() -> None:
    empty = np.zeros(0, MAPPING)
    nothing = np.zeros(0, np.uint64)
    assert mapped_ranges(PageTables("none", 0, empty, nothing, nothing)) == []


def test_rights_in_letters() -> None:
    (one,) = mapped_ranges(tables((0x1000, 0x8000, PAGE, True)))
    assert one.rights == "rw---"
