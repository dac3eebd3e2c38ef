"""Who wrote a word of physical memory: the same boot again, stopped at each of its writes.

A recorded boot is replayed twice. In the first replay a plugin inside QEMU lists every store to the
words, whatever mapping it goes through; in the second one watchpoints stop the CPU at those stores,
so that registers and stack can be read.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from harness.debug.follow import Due, Follower
from harness.debug.history import WORD, Blame, History, Write, change_between
from harness.debug.mappings import mappings_of
from harness.debug.origin import source_of
from harness.debug.stores import Stores, StoreTable, why_unsupported
from harness.decode.belief.paging import FRAME_SIZE
from harness.machine.errors import QemuFailed, SpecError
from harness.machine.layout import extents
from harness.machine.recording import CountedGuest, Recording, replay, run_to
from harness.ram.gdb_stub import StubError
from harness.ram.protocol import Ram

MOST = 1000
"""Writes of one word that are looked at, the last ones."""


@dataclass(frozen=True)
class _Listed:
    """What the first replay tells."""

    totals: tuple[int, ...]
    """Of each word the number of its stores."""
    stores: tuple[Stores, ...]
    """Of each word the last ones."""
    slack: int
    """The most by which a store's instruction count is too high."""

    @property
    def skipped(self) -> list[int]:
        """Of each word the number of stores before the last ones."""
        each = zip(self.totals, self.stores, strict=True)
        return [total - len(stores) for total, stores in each]


def blame(recording: Recording, words: Sequence[int], most: int = MOST) -> Blame:
    """Return who wrote each of ``words`` in a recorded boot.

    ``words`` are physical addresses; of each the u32 around it counts. At most ``most`` writes of
    a word are looked at, the last ones. Raise :class:`SpecError` for an address that is not RAM,
    :class:`harness.machine.errors.MachineError` when the boot cannot be replayed.
    """
    asked = [word // WORD * WORD for word in words]
    ordered = sorted(set(asked))
    offsets = [_offset(recording, word) for word in ordered]
    missing = why_unsupported()
    if missing is not None:
        result = _by_known_mappings(recording, ordered, most, missing)
    else:
        result = _by_stores(recording, ordered, offsets, most)
    by_word = {history.physical: history for history in result.histories}
    return dataclasses.replace(result, histories=tuple(by_word[word] for word in asked))


def _offset(recording: Recording, word: int) -> int:
    """Return where in the file behind RAM a physical address is."""
    for extent in extents(recording.spec):
        if extent.start <= word < extent.end:
            return word - extent.start + extent.offset
    raise SpecError(f"physical 0x{word:x} is no RAM of this machine: nothing can be written there")


def _by_stores(
    recording: Recording, words: Sequence[int], offsets: Sequence[int], most: int
) -> Blame:
    with StoreTable(offsets, most) as table, replay(recording, table.extra) as guest:
        table.clear()
        run_to(guest, recording.length)
        listed = _listed(table, guest)
        final = [value_at(guest.ram, word) for word in words]
    followed = _followed(recording, words, offsets, most, listed)
    each = zip(words, *followed.columns, final, listed.totals, strict=True)
    return Blame(tuple(_history(*of) for of in each), recording.length, followed.doubts)


@dataclass(frozen=True)
class _Followed:
    """What the second replay tells; of each word its first value, who put it there, its writes."""

    columns: tuple[list[int], list[str], list[list[Write]]]
    doubts: tuple[str, ...]


def _followed(
    recording: Recording,
    words: Sequence[int],
    offsets: Sequence[int],
    most: int,
    listed: _Listed,
) -> _Followed:
    """Stop at each store: by watchpoints, which is quick, or else by counting instructions."""
    found = None
    with contextlib.suppress(StubError, QemuFailed):
        found = _follow(recording, words, offsets, most, listed, counting=False)
    if found is None or found.doubts:
        return _follow(recording, words, offsets, most, listed, counting=True)
    return found


def _follow(
    recording: Recording,
    words: Sequence[int],
    offsets: Sequence[int],
    most: int,
    listed: _Listed,
    counting: bool,
) -> _Followed:
    codes = {int(code) for stores in listed.stores for code in stores["code"]}
    with StoreTable(offsets, most, codes) as table, replay(recording, table.extra) as guest:
        table.clear()
        first = [value_at(guest.ram, word) for word in words]
        sources = [source_of(guest, word) for word in words]
        follower = Follower(guest, words, _watched(words, listed))
        due = Due(
            sorted({count for stores in listed.stores for count in _counts(stores, guest)}),
            listed.slack,
            recording.length,
            listed.skipped,
        )
        found = follower.by_table(table, due, counting)
        doubts = tuple(_partings(words, listed, _listed(table, guest)))
    return _Followed((first, sources, found), doubts)


def _counts(stores: Stores, guest: CountedGuest) -> list[int]:
    return [int(count) - guest.first for count in stores["executed"]]


def _listed(table: StoreTable, guest: CountedGuest) -> _Listed:
    words = range(table.words)
    return _Listed(
        tuple(table.total(index) for index in words),
        tuple(table.last(index) for index in words),
        table.executed - guest.first - guest.executed(),
    )


def _watched(words: Sequence[int], listed: _Listed) -> set[int]:
    """Return the virtual addresses through which the words were stored to."""
    found = set()
    for word, stores in zip(words, listed.stores, strict=True):
        for store in np.unique(stores[["address", "uncertain"]]):
            page = int(store["address"]) // FRAME_SIZE + int(store["uncertain"])
            found.add(page * FRAME_SIZE % (1 << 32) + word % FRAME_SIZE)
    return found


def _partings(words: Sequence[int], one: _Listed, other: _Listed) -> Iterator[str]:
    """Say where the second replay did not do what the first one had done."""
    for index, word in enumerate(words):
        first, second = one.stores[index], other.stores[index]
        columns = ["address", "code", "size", "new"]
        same = np.array_equal(first[columns], second[columns])
        if one.totals[index] == other.totals[index] and same:
            continue
        common = min(len(first), len(second))
        unequal = np.flatnonzero(first[columns][:common] != second[columns][:common])
        at = int(unequal[0]) if len(unequal) else common
        number = max(0, one.totals[index] - len(first)) + at + 1
        yield (
            f"the second replay took another path: it stored {other.totals[index]} times to "
            f"0x{word:08x}, the first one {one.totals[index]} times; they part at store {number}"
        )


def _history(
    word: int, first: int, source: str, writes: Sequence[Write], final: int, total: int
) -> History:
    left_out = max(0, total - len(writes))
    chained = _chained(writes, None if left_out else first, final)
    return History(word, first, source, chained, final, left_out)


def _chained(writes: Sequence[Write], first: int | None, final: int) -> tuple[Write, ...]:
    """Return the writes with what must have changed the word between two of them."""
    result: list[Write] = []
    value, count = first, 0
    for write in writes:
        if value is not None and write.old != value:
            result.append(_unseen(count, value, write.old))
        result.append(write)
        value, count = write.new, write.count
    if value is not None and value != final:
        result.append(_unseen(count, value, final))
    return tuple(result)


def _unseen(count: int, old: int, new: int) -> Write:
    return Write(count, old, new, (), change=change_between(old, new))


def value_at(ram: Ram, word: int) -> int:
    """Return the u32 at physical ``word``."""
    return int.from_bytes(ram.read(word, WORD), "little")


def _by_known_mappings(
    recording: Recording, words: Sequence[int], most: int, missing: str
) -> Blame:
    """Follow the words through the mappings that they have at the end, and where they are loaded.

    One that they had in between and have no longer is not known without the plugin.
    """
    with replay(recording) as guest:
        run_to(guest, recording.length)
        watched = mappings_of(guest, words)
        final = [value_at(guest.ram, word) for word in words]
    with replay(recording) as guest:
        first = [value_at(guest.ram, word) for word in words]
        sources = [source_of(guest, word) for word in words]
        follower = Follower(guest, words, watched)
        found, totals, whole = follower.by_address(recording.length, most)
    doubts = [f"{missing}; only stores through mappings that there are at the end were followed"]
    if not whole:
        doubts.append(
            "the watched addresses are written too often: only the first writes were seen"
        )
    each = zip(words, first, sources, found, final, totals, strict=True)
    return Blame(tuple(_history(*of) for of in each), recording.length, tuple(doubts))
