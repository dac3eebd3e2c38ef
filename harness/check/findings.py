"""Gathering violations without drowning in them.

One wrong bound breaks thousands of frames in the same way. A family of checks reports each maximal
run of frames once, and of each kind a bounded number; the rest is counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from harness.check.runs import (
    FRAME_SIZE,
    Mask,
    frames_in_words,
    in_number,
    is_or_are,
    pages_in_words,
    runs,
)
from harness.check.violation import Violation

LIMIT = 25
"""Violations of one kind that are spelled out."""

WordOf = Callable[[int], int | None]
"""Returns the physical address of what is believed of a frame or page, None if that is unknown."""


def nowhere(number: int) -> None:
    """Be the place of a belief that stands nowhere in particular."""


class Findings:
    """The violations that one family of checks found."""

    def __init__(self, family: str) -> None:
        self._family = family
        self._violations: list[Violation] = []
        self._found: Counter[str] = Counter()
        self._breaks: dict[str, tuple[str, ...]] = {}

    def add(
        self,
        kind: str,
        message: str,
        properties: tuple[str, ...],
        address: int | None = None,
        physical: bool = True,
        word: int | None = None,
        length: int = 0,
    ) -> None:
        """Report one violation of ``kind``, which is named within the family."""
        self._found[kind] += 1
        self._breaks[kind] = properties
        if self._found[kind] <= LIMIT:
            name = f"{self._family}.{kind}"
            self._violations.append(
                Violation(name, message, properties, address, physical, word, length)
            )

    def add_each(
        self,
        kind: str,
        found: npt.NDArray[np.integer],
        describe: Callable[[int], tuple[str, int]],
        properties: tuple[str, ...],
        physical: bool = True,
    ) -> None:
        """Report one violation for each of ``found``, of which there may be millions.

        ``describe`` gives the message and the address of those that are spelled out.
        """
        for one in found[:LIMIT].tolist():
            message, address = describe(one)
            self.add(kind, message, properties, address, physical)
        self._found[kind] += max(0, len(found) - LIMIT)

    def add_frames(
        self,
        kind: str,
        mask: Mask,
        what: str,
        properties: tuple[str, ...],
        first: int = 0,
        word_of: WordOf = nowhere,
    ) -> None:
        """Report each run of true elements; element 0 is about frame ``first``.

        ``what`` goes on behind "frame 0x… (physical 0x…) is", or "frames … are"; of words like
        ``[it|them]`` it takes what goes with that. ``word_of`` says where in memory the wrong
        belief about a run's first frame is; with pages below, about a page.
        """
        self._add_runs(kind, runs(mask), what, properties, first, True, word_of)

    def add_pages(
        self,
        kind: str,
        mask: Mask,
        what: str,
        properties: tuple[str, ...],
        first: int = 0,
        word_of: WordOf = nowhere,
    ) -> None:
        """Report each run of true elements; element 0 is about the virtual page ``first``."""
        self._add_runs(kind, runs(mask), what, properties, first, False, word_of)

    def add_page_runs(
        self,
        kind: str,
        rows: npt.NDArray[np.int64],
        what: str,
        properties: tuple[str, ...],
        word_of: WordOf = nowhere,
    ) -> None:
        """Report runs of virtual pages, given as rows (first, behind the last)."""
        self._add_runs(kind, rows, what, properties, 0, False, word_of)

    def _add_runs(
        self,
        kind: str,
        rows: npt.NDArray[np.int64],
        what: str,
        properties: tuple[str, ...],
        offset: int,
        physical: bool,
        word_of: WordOf,
    ) -> None:
        in_words = frames_in_words if physical else pages_in_words
        for row in rows[:LIMIT]:
            first, end = offset + int(row[0]), offset + int(row[1])
            ending = in_number(what, one=end - first == 1)
            message = f"{in_words(first, end)} {is_or_are(first, end)} {ending}"
            start, length = first * FRAME_SIZE, (end - first) * FRAME_SIZE
            self.add(kind, message, properties, start, physical, word_of(first), length)
        self._found[kind] += max(0, len(rows) - LIMIT)

    def result(self) -> tuple[Violation, ...]:
        """Return what was reported, with the number of what was left out."""
        more = (
            Violation(
                f"{self._family}.{kind}",
                f"… and {found - LIMIT} more of this kind",
                self._breaks[kind],
            )
            for kind, found in self._found.items()
            if found > LIMIT
        )
        return (*self._violations, *more)
