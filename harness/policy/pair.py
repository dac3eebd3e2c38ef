"""What the buddy allocator over a pair bitmap must return.

Free blocks of 2^order frames hang on a list for each zone and order. Design document 002 has a
request search "for the smallest sufficient" block and merges a block with its buddy when that is
free; its nodes, linked within the blocks, make each list a stack. So a request takes the block that
came *last* to the first list that is not empty, from its order up; the lower half is kept each time
that the block is too large, the upper one goes on its list. A block that is freed joins its buddy
for as long as that is free as a whole, and goes on its list. When a zone has nothing, the zone
below it is asked.

Buddies are counted from the zone's base, and no block is larger than its zone.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass

from harness.decode.belief.frames import PairZone
from harness.decode.belief.paging import FRAME_SIZE
from harness.decode.state import MemoryState
from harness.policy.zones import HIGHEST_ZONE


@dataclass(frozen=True)
class PairZoneLists:
    """The free blocks of one zone, in frames."""

    base: int
    lists: list[dict[int, None]]
    """By order, up to the largest: first frame of each free block, the one that came last last."""

    def take(self, order: int) -> int | None:
        """Return the first frame of a block of 2^order frames, or None without one."""
        lists = self.lists
        for found in range(order, len(lists)):
            if lists[found]:
                frame, _ = lists[found].popitem()
                for half in range(found - 1, order - 1, -1):
                    lists[half][frame + (1 << half)] = None
                return frame
        return None

    def give(self, frame: int, order: int) -> None:
        """Take a block back, and join it with its buddies."""
        lists, offset, top = self.lists, frame - self.base, len(self.lists) - 1
        while order < top and (buddy := self.base + (offset ^ 1 << order)) in lists[order]:
            del lists[order][buddy]
            offset &= ~(1 << order)
            order += 1
        lists[order][self.base + offset] = None


class PairPolicy:
    """The pair-bitmap buddy of one decoded state, from then on.

    It knows the free blocks only: what is freed must have been allocated so.
    """

    def __init__(self, zones: list[PairZoneLists]) -> None:
        """Take the zones' lists, from the lowest zone up."""
        self._zones = zones
        self._bases = [zone.base for zone in zones]

    @classmethod
    def of(cls, state: MemoryState) -> PairPolicy:
        """Start from the free lists of ``state``; its pair map says where the zones are."""
        if len(state.free_lists) != 1 or len(state.pair_maps) != 1:
            raise ValueError("the state is not that of one buddy allocator over a pair bitmap")
        found = state.free_lists[0].lists
        top = max(one.order for one in found)
        zones = [
            PairZoneLists(zone.base // FRAME_SIZE, [{} for _ in range(_largest(zone, top) + 1)])
            for zone in state.pair_maps[0].zones
        ]
        for one in found:
            if len(one.frames):
                zones[one.zone].lists[one.order].update(dict.fromkeys(one.frames[::-1].tolist()))
        return cls(zones)

    def alloc(self, flags: int, pages: int) -> int:
        """Return the physical address of 2^n frames that hold ``pages``, or 0 without a block."""
        order = (pages - 1).bit_length()
        if pages:
            for zone in range(HIGHEST_ZONE[flags & 15], -1, -1):
                frame = self._zones[zone].take(order)
                if frame is not None:
                    return frame * FRAME_SIZE
        return 0

    def free(self, address: int, pages: int) -> None:
        """Take back what :meth:`alloc` gave at ``address`` (physical, bytes) for ``pages``."""
        frame = address // FRAME_SIZE
        zone = bisect_right(self._bases, frame) - 1
        self._zones[zone].give(frame, (pages - 1).bit_length())

    def free_blocks(self) -> list[list[list[int]]]:
        """Return the first frame of each free block, by zone and order, in list order."""
        return [[list(one)[::-1] for one in zone.lists] for zone in self._zones]


def _largest(zone: PairZone, top: int) -> int:
    """Return the order of the largest block that fits into a zone."""
    return max(0, min(top, (zone.size // FRAME_SIZE).bit_length() - 1))
