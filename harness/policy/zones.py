"""Where frames may come from: the flags of an allocation, and the zones that they lead to."""

from __future__ import annotations

DMA = 1 << 0
NORMAL = 1 << 1
HIGH = 1 << 2
ZERO = 1 << 3
"""Contents zeroed; it does not matter to what is given."""

ZONE_DMA, ZONE_NORMAL, ZONE_HIGH = range(3)
"""Below 16 MiB, the rest of the direct map, and beyond it."""

HIGHEST_ZONE = tuple(
    ZONE_DMA if flags & DMA else ZONE_HIGH if flags & HIGH and not flags & NORMAL else ZONE_NORMAL
    for flags in range(16)
)
"""By flags: the zone to try first; lower ones follow. The narrowest wish counts, none is normal."""
