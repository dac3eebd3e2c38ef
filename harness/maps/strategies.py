"""Memory maps for Hypothesis, with a liking for the places where memory managers go wrong.

For property tests of your own: ``@given(memory_maps())``. Needs the extra ``property``, as nothing
else in the package does.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from functools import lru_cache

from hypothesis import strategies as st

from harness.maps import library
from harness.maps.memory_map import MEBIBYTE, MemoryMap
from harness.maps.region import ADDRESS_SPACE, FOUR_GIB, PAGE_SIZE, Region
from harness.maps.scale import scale

PC_BORDERS = (0, PAGE_SIZE, 0x9FC00, 0xA0000, MEBIBYTE, 15 * MEBIBYTE, 16 * MEBIBYTE, FOUR_GIB)
"""Physical addresses at which something begins or ends on every PC."""
TYPES = (1, 2, 3, 4, 5, 0, 6, 7, 12, 16, 0x101, 0xFFFFFFFF)
"""Those that specifications name, and others that firmware has been seen to give."""
NEAR = (0, 1, 4, 16, PAGE_SIZE - 1, PAGE_SIZE, PAGE_SIZE + 1, 1 << 16)


def addresses(borders: Iterable[int]) -> st.SearchStrategy[int]:
    """Return physical addresses at the borders, a little before or behind them, or anywhere."""
    places = st.sampled_from(sorted(set(borders)))
    moved = st.builds(
        lambda place, by, sign: (place + sign * by) % ADDRESS_SPACE,
        places,
        st.sampled_from(NEAR),
        st.sampled_from((1, -1)),
    )
    return moved | st.integers(0, FOUR_GIB) | st.integers(0, ADDRESS_SPACE - 1)


def regions(borders: Iterable[int]) -> st.SearchStrategy[Region]:
    """Return regions between such addresses, empty ones and single pages among them."""
    edges = addresses(borders)
    between = st.builds(_between, edges, edges, st.sampled_from(TYPES))
    lengths = st.sampled_from(NEAR) | st.integers(0, 64 * MEBIBYTE)
    return between | st.builds(Region, edges, lengths, st.sampled_from(TYPES))


def _between(one: int, other: int, type_: int) -> Region:
    return Region(min(one, other), abs(one - other), type_)


def parts_of_real_maps(memory: int) -> st.SearchStrategy[tuple[Region, ...]]:
    """Return some entries in a row, or all, of a plain PC's map or of a real one in ``memory``."""

    def part(name: str, start: int, count: int) -> tuple[Region, ...]:
        whole = _entries(name, memory)
        start %= len(whole)
        return whole[start : start + count]

    starts = st.just(0) | st.integers(0, 64)
    return st.builds(part, st.sampled_from(["", *library.names()]), starts, _COUNTS)


@lru_cache(maxsize=256)
def _entries(name: str, memory: int) -> tuple[Region, ...]:
    found = scale(library.get(name), memory) if name else MemoryMap.pc(memory)
    return found.entries


_COUNTS = st.sampled_from((1, 2, 4, 1 << 20))


def memory_maps(
    memory: int = 64 * MEBIBYTE, borders: Iterable[int] = (), most: int = 12
) -> st.SearchStrategy[MemoryMap]:
    """Return maps for a machine with ``memory`` bytes of RAM: unsorted, overlapping, and real ones.

    ``borders`` are physical addresses of interest besides :data:`PC_BORDERS`, such as where the
    kernel's zones end. A map has at most ``most`` single entries and parts of real maps, and
    shrinks to fewer.
    """
    interesting = (*PC_BORDERS, memory, memory - PAGE_SIZE, *borders)
    single = regions(interesting).map(lambda region: (region,))
    parts = st.lists(single | parts_of_real_maps(memory), max_size=most)
    return parts.map(lambda found: MemoryMap(tuple(itertools.chain.from_iterable(found))))
