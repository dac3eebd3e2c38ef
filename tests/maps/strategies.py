"""Memory maps to be thought of: small and crowded ones, and any that firmware could hold."""

from __future__ import annotations

from hypothesis import strategies as st

from harness.maps.memory_map import MemoryMap
from harness.maps.region import Region

TYPES = st.sampled_from([0, 1, 1, 1, 2, 3, 4, 5, 7, 12, 0x101, 0xFFFFFFFF])
U64 = st.one_of(
    st.integers(0, (1 << 64) - 1),
    st.integers(0, 1 << 33),
    st.integers(0, 64).map(lambda page: page << 12),
    st.integers((1 << 64) - 8192, (1 << 64) - 1),
)
NAMES = st.text("abcXYZ019.,-_+ ", min_size=1, max_size=12).map(str.strip)


def maps(numbers: st.SearchStrategy[int], most: int = 12) -> st.SearchStrategy[MemoryMap]:
    """Return maps whose bases and lengths are ``numbers``."""
    regions = st.builds(Region, numbers, numbers, TYPES)
    return st.lists(regions, max_size=most).map(lambda entries: MemoryMap(tuple(entries)))


def any_maps() -> st.SearchStrategy[MemoryMap]:
    """Return any maps: overlaps, zero lengths, and ranges that wrap at 2**64 among them."""
    return maps(U64)
