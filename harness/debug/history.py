"""What became of words of physical memory in the course of one boot."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from harness.decode.paging_modes import ACCESSED, DIRTY, PRESENT
from harness.machine.backtrace import Frame

WORD = 4
"""Bytes."""


class Change(Enum):
    """How a word changed where no store did it."""

    MARKED = "the CPU set accessed or dirty in this page table entry"
    """SDM volume 3A, section 4.8."""
    UNSEEN = "something changed it that is no store of an instruction: a device, or the CPU itself"


@dataclass(frozen=True)
class Write:
    """One write to a word."""

    count: int
    """Instructions since the kernel's first one, this one counted."""
    old: int
    """The u32 before …"""
    new: int
    """… and after it."""
    frames: tuple[Frame, ...]
    """The writing instruction, then who called it."""
    address: int | None = None
    """Virtual, of the first byte that was stored; None for a change without a store."""
    size: int = WORD
    """Bytes that were stored, which may begin before the word and end behind it."""
    change: Change | None = None
    """What it was, when no instruction stored to the word."""


@dataclass(frozen=True)
class History:
    """Everything that is known of one word's values, oldest first."""

    physical: int
    """Of the word: a multiple of 4."""
    first: int
    """Its u32 before the kernel's first instruction."""
    source: str
    """What put that there."""
    writes: tuple[Write, ...]
    final: int
    """Its u32 at the end."""
    left_out: int = 0
    """Writes before ``writes``, not looked at."""

    @property
    def culprit(self) -> Write | None:
        """The last store, None when the word is still what it was at the beginning."""
        stores = (write for write in reversed(self.writes) if write.change is None)
        return next(stores, None)


@dataclass(frozen=True)
class Blame:
    """Who wrote some words in one boot."""

    histories: tuple[History, ...]
    """In the order in which they were asked for."""
    length: int
    """Instructions of the whole run."""
    doubts: tuple[str, ...] = ()
    """What could not be followed, and where one run did not do what another had done."""


def change_between(old: int, new: int) -> Change:
    """Say what may have changed a word without a store."""
    marks = ACCESSED | DIRTY
    marked = (old ^ new) & ~marks == 0 and old & PRESENT and new & ~old & marks == old ^ new
    return Change.MARKED if marked else Change.UNSEEN
