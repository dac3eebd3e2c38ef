"""Pages joined into ranges that a person can read."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.decode.belief.paging import PageTables

_RIGHTS = ("writable", "user", "executable", "global_", "level")


@dataclass(frozen=True)
class MappedRange:
    """Virtual [start, end) mapped to consecutive physical memory with the same rights."""

    start: int
    end: int
    physical: int
    page_size: int
    writable: bool
    user: bool
    executable: bool
    global_: bool

    @property
    def rights(self) -> str:
        """Return the effective rights as ``rwxug``, a dash for each that is missing."""
        flags = (True, self.writable, self.executable, self.user, self.global_)
        return "".join(letter if flag else "-" for letter, flag in zip("rwxug", flags, strict=True))


def mapped_ranges(tables: PageTables) -> list[MappedRange]:
    """Return the fewest ranges that say what ``tables`` map, ascending by virtual address."""
    pages = tables.mappings
    if len(pages) == 0:
        return []
    ends = pages["virtual"] + pages["size"]
    joined = ends[:-1] == pages["virtual"][1:]
    joined &= pages["physical"][:-1] + pages["size"][:-1] == pages["physical"][1:]
    for right in _RIGHTS:
        joined &= pages[right][:-1] == pages[right][1:]
    starts = np.flatnonzero(np.concatenate(([True], ~joined)))
    lasts = np.append(starts[1:], len(pages)) - 1
    return [
        MappedRange(
            start=int(pages["virtual"][first]),
            end=int(ends[last]),
            physical=int(pages["physical"][first]),
            page_size=int(pages["size"][first]),
            writable=bool(pages["writable"][first]),
            user=bool(pages["user"][first]),
            executable=bool(pages["executable"][first]),
            global_=bool(pages["global_"][first]),
        )
        for first, last in zip(starts, lasts, strict=True)
    ]
