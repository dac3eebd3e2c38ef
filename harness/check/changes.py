"""Gathering what has changed between two states, in words and within bounds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from harness.check.runs import Mask, frames_in_words, in_number, is_or_are, runs

LIMIT = 25
"""Changes of one structure that are spelled out; the rest is counted."""

Addresses = npt.NDArray[np.int64]


class Named(Protocol):
    """A decoded structure that its description gives a name."""

    @property
    def name(self) -> str: ...


N = TypeVar("N", bound=Named)


@dataclass(frozen=True)
class Change:
    """One thing that is not as it was."""

    structure: str
    """The description's name for it, with what kind of structure it is."""
    message: str
    """Words with addresses in hex."""

    def __str__(self) -> str:
        return f"{self.structure}: {self.message}"


class Changes:
    """The changes found so far."""

    def __init__(self) -> None:
        self._changes: list[Change] = []
        self._found: Counter[str] = Counter()

    def add(self, structure: str, message: str) -> None:
        """Note a change; of one structure only the first ``LIMIT`` are kept."""
        self._found[structure] += 1
        if self._found[structure] <= LIMIT:
            self._changes.append(Change(structure, message))

    def add_each(self, structure: str, messages: Iterator[str], count: int) -> None:
        """Note ``count`` changes of which only so many messages are made as are kept."""
        kept = max(0, min(count, LIMIT - self._found[structure]))
        for _, message in zip(range(kept), messages, strict=False):
            self.add(structure, message)
        self._found[structure] += count - kept

    def add_value(self, structure: str, what: str, before: object, now: object) -> None:
        """Note a value when it is another one."""
        if before != now:
            self.add(structure, f"{what}: {now}, before {before}")

    def add_frames(self, structure: str, mask: Mask, what: str, first: int = 0) -> None:
        """Note each run of true elements, of which element 0 is about frame ``first``.

        ``what`` goes on behind "frame … is" or "frames … are".
        """
        rows = runs(mask)
        self.add_each(structure, _of_frames(rows[:LIMIT] + first, what), len(rows))

    def add_flags(self, structure: str, before: Mask, now: Mask, gained: str, lost: str) -> None:
        """Note the frames, from frame 0 on, at which a flag was set and those where cleared."""
        length = max(len(before), len(now))
        before, now = widened(before, length), widened(now, length)
        self.add_frames(structure, now & ~before, gained)
        self.add_frames(structure, before & ~now, lost)

    def add_addresses(self, structure: str, what: str, addresses: Addresses, verb: str) -> None:
        """Note things at virtual addresses."""
        messages = (f"{what} at virtual 0x{one:08x} {verb}" for one in addresses[:LIMIT].tolist())
        self.add_each(structure, messages, len(addresses))

    def pairs(self, kind: str, before: Iterable[N], now: Iterable[N]) -> Iterator[tuple[str, N, N]]:
        """Yield the structures that were and are there, and note those that came or went."""
        old, new = ({one.name: one for one in these} for these in (before, now))
        for name in dict.fromkeys([*old, *new]):
            if name not in new:
                self.add(f"{kind} {name}", "is no longer there, or cannot be decoded any more")
            elif name not in old:
                self.add(f"{kind} {name}", "is there now, and was not")
            else:
                yield f"{kind} {name}", old[name], new[name]

    def result(self) -> tuple[Change, ...]:
        """Return what was noted, with the number of what was left out."""
        more = (
            Change(structure, f"… and {found - LIMIT} more changes")
            for structure, found in self._found.items()
            if found > LIMIT
        )
        return (*self._changes, *more)


def _of_frames(rows: npt.NDArray[np.int64], what: str) -> Iterator[str]:
    for first, end in rows.tolist():
        ending = in_number(what, one=end - first == 1)
        yield f"{frames_in_words(first, end)} {is_or_are(first, end)} {ending}"


def widened(mask: Mask, length: int) -> Mask:
    """Return ``mask`` with false elements behind it, ``length`` in all."""
    return np.concatenate((mask, np.zeros(length - len(mask), dtype=np.bool_)))


def from_frame_zero(mask: Mask, first_frame: int) -> Mask:
    """Return ``mask``, whose element 0 is about ``first_frame``, from frame 0 on."""
    return np.concatenate((np.zeros(max(0, first_frame), dtype=np.bool_), mask))
