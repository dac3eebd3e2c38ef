"""Numbers that a person would rather read: the nearest ones that are rounder."""

from __future__ import annotations

from collections.abc import Iterator

from harness.maps.region import ADDRESS_SPACE, Region

UNITS = (1 << 30, 1 << 24, 1 << 20, 1 << 16, 1 << 12, 1 << 10)
"""Bytes to whose multiples a map's numbers are rounded, the roundest first."""
_TYPES = (1, 2)
"""The plain ones of a region: usable and reserved."""


def rounder_regions(region: Region) -> Iterator[Region]:
    """Yield the region with a plain type, or one end at a rounder place; the roundest first.

    Each is rounder than ``region``, so that who goes on with one of them comes to an end.
    """
    if region.type not in _TYPES:
        yield Region(region.base, region.length, 2)
    for base in (0, *_rounder(region.base)) if region.base else ():
        if base < ADDRESS_SPACE and 0 <= region.end - base < ADDRESS_SPACE:
            yield Region(base, region.end - base, region.type)
        if base < ADDRESS_SPACE:
            yield Region(base, region.length, region.type)
    for end in _rounder(region.end):
        if 0 <= end - region.base < ADDRESS_SPACE:
            yield Region(region.base, end - region.base, region.type)


def _rounder(number: int) -> Iterator[int]:
    """Yield the multiples of each smaller unit next to a number that is none, the nearer first."""
    for unit in UNITS:
        below = number // unit * unit
        if 0 < below < number:
            yield from sorted((below, below + unit), key=lambda multiple: abs(multiple - number))


def rounder_sizes(size: int) -> Iterator[int]:
    """Yield 1, and the power of two below a size that is none."""
    power = 1 << (size.bit_length() - 1) if size else 0
    yield from dict.fromkeys(one for one in (1, power) if one < size)
