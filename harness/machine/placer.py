"""Where a boot loader may put things: usable RAM that nothing else needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from harness.machine.errors import SpecError
from harness.maps.memory_map import MemoryMap

CONVENTIONAL_END = 640 << 10
ADDRESS_SPACE = 1 << 32
PAGE_SIZE = 4096


class Placer:
    """Gives out physical memory from the ``ram`` ranges that ``memory_map`` calls usable.

    Page 0 is left out, since address 0 means "none"; so is all that was taken. A map without any
    usable place does not stop a boot: then RAM is taken where it is, as real loaders do.
    """

    def __init__(self, memory_map: MemoryMap, ram: Iterable[range], image: range) -> None:
        self._image_end = image.stop
        self._ram = [r for r in ram if r.start < ADDRESS_SPACE]
        self._usable = [
            range(max(region.base, r.start), min(region.end, r.stop, ADDRESS_SPACE))
            for region in memory_map.usable_regions()
            for r in self._ram
        ]
        self._taken = [range(4096), image]

    def take(self, start: int, length: int) -> int:
        """Mark a place, and the rest of its frames, as taken and return it."""
        end = start + length
        self._taken.append(range(start - start % PAGE_SIZE, end + -end % PAGE_SIZE))
        return start

    def place_low(self, length: int, alignment: int = 8) -> int:
        """Return a place at the top of conventional memory, or where there is one.

        If it can be, the place lies across the border of two usable frames that hold nothing
        else: a kernel that forgets it, or rounds its ends the wrong way, then loses it.
        """
        return self._place(length, alignment, low_first=True)

    def place_high(self, length: int, alignment: int = 4096) -> int:
        """Return a place behind the kernel, or where there is one."""
        return self._place(length, alignment, low_first=False)

    def _place(self, length: int, alignment: int, low_first: bool) -> int:
        for source in (self._usable, self._ram):
            free = list(self._free(source))
            for start in self._candidates(free, length, alignment, low_first):
                return self.take(start, length)
        raise SpecError(f"too little memory: no place for {length} bytes of boot information")

    def _candidates(
        self, free: list[range], length: int, alignment: int, low_first: bool
    ) -> Iterator[int]:
        """Yield places in the order of preference."""
        low = [range(r.start, min(r.stop, CONVENTIONAL_END)) for r in free]
        from_top = [*_across(low, length, alignment), *_at_top(low, length, alignment)]
        bottoms = [-(-r.start // alignment) * alignment for r in free]
        fitting = [b for b, r in zip(bottoms, free, strict=True) if b + length <= r.stop]
        behind = [start for start in fitting if start >= self._image_end]
        yield from from_top + behind + fitting if low_first else behind + fitting

    def _free(self, source: Iterable[range]) -> Iterator[range]:
        """Yield what is left of ``source``, ascending."""
        taken = sorted(self._taken, key=lambda r: r.start)
        for piece in sorted(source, key=lambda r: r.start):
            start = piece.start
            for hole in taken:
                if hole.start < piece.stop and hole.stop > start:
                    if hole.start > start:
                        yield range(start, hole.start)
                    start = max(start, hole.stop)
            if start < piece.stop:
                yield range(start, piece.stop)


def _across(free: list[range], length: int, alignment: int) -> Iterator[int]:
    """Yield places in the middle of which a page begins, in whole pages of ``free``, top first."""
    for piece in reversed(free):
        border = piece.stop // PAGE_SIZE * PAGE_SIZE - -(-length // PAGE_SIZE) * PAGE_SIZE
        start = (border - length // 2) // alignment * alignment
        if start // PAGE_SIZE * PAGE_SIZE >= piece.start:
            yield start


def _at_top(free: list[range], length: int, alignment: int) -> Iterator[int]:
    """Yield the highest place in each piece of ``free``, top first."""
    for piece in reversed(free):
        start = (piece.stop - length) // alignment * alignment
        if start >= piece.start:
            yield start
