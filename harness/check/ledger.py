"""The frame ledger: who owns each frame of RAM, by everything that was decoded.

Each frame must have exactly one owner, and one that the model allows. Owners are bits of one word
a frame, so that a forgotten reservation, a double free and an aliased page table are one question:
is exactly one bit set?
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import numpy.typing as npt

from harness.check.blocks import Blocks
from harness.check.findings import Findings
from harness.check.header_chains import chain_frames
from harness.check.model import (
    ALLOCATABLE,
    FRAME_LIMIT,
    FRAME_ZERO,
    IMAGE,
    LEFT_ALONE,
    NOT_USABLE,
    Model,
)
from harness.check.pages import heap_frames
from harness.check.places import owner_place
from harness.check.runs import (
    FRAME_SIZE,
    Mask,
    frames_in_words,
    in_number,
    inward,
    is_or_are,
    outward,
    runs_by_key,
)
from harness.check.subblocks import subblock_frames
from harness.check.user_pages import own_frames
from harness.check.violation import Violation
from harness.decode.state import MemoryState

RESERVED = "reserved"
"""The model forbids handing the frame out; :attr:`Model.reason` says why."""
FREE = "free"
HELD = "held"
"""By callers of the frame interface; also what a description may call them in its frame table."""
PAGE_TABLE = "page table"
"""Also the name under which a description marks page tables in its frame table."""
USER_SPACE = "user space"
"""Frames behind pages of user regions."""

_MODEL_WORD = 32
"""Bits of a key that hold the owners; the model's reason stands above them."""


@dataclass(frozen=True)
class Ledger:
    """Owners of frames: bit ``names.index(name)`` of ``owners[frame]``."""

    names: tuple[str, ...]
    owners: npt.NDArray[np.uint32]
    recorded: frozenset[str]
    """Owners that only the frame table, or a bitmap of held frames, knows: callers of the frame
    interface, for one."""
    complete: bool
    """Whether the state tells every owner, so that a frame without one is lost."""
    own: frozenset[str] = frozenset()
    """The memory manager itself: its records and page tables. Other owners are its callers."""

    def owned_by(self, name: str) -> npt.NDArray[np.bool_]:
        """Return the frames that ``name`` owns, read-only: they are gathered once."""
        if name not in self._owned:
            bit = 1 << self.names.index(name) if name in self.names else 0
            owned = (self.owners & np.uint32(bit)) != 0
            owned.flags.writeable = False
            self._owned[name] = owned
        return self._owned[name]

    @cached_property
    def _owned(self) -> dict[str, Mask]:
        return {}

    @property
    def free(self) -> npt.NDArray[np.bool_]:
        """The frames that some allocator says are free."""
        return self.owned_by(FREE)

    @property
    def overhead(self) -> npt.NDArray[np.bool_]:
        """The frames that the memory manager needs for itself."""
        return self._owned_by_any(self.own)

    @property
    def given(self) -> npt.NDArray[np.bool_]:
        """The frames that its callers have, as frames or in a heap's pages."""
        return self._owned_by_any(set(self.names) - self.own - {FREE, RESERVED})

    def _owned_by_any(self, names: Collection[str]) -> npt.NDArray[np.bool_]:
        bits = sum(1 << bit for bit, name in enumerate(self.names) if name in names)
        owned: Mask = (self.owners & np.uint32(bits)) != 0
        return owned


class _Builder:
    """Collects owners; what is part of the kernel's image may lie inside it."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self.names = [RESERVED]
        self.own = {PAGE_TABLE}
        self.owners = (model.reason != ALLOCATABLE).astype(np.uint32)

    def _bit(self, name: str) -> np.uint32:
        if name not in self.names:
            self.names.append(name)
        return np.uint32(1) << np.uint32(self.names.index(name))

    def paint(self, name: str, mask: npt.NDArray[np.bool_]) -> None:
        """Give the frames of a mask (from frame 0) to ``name``."""
        self.owners[: len(mask)] |= mask * self._bit(name)

    def give(self, name: str, frames: npt.NDArray[np.int64]) -> None:
        """Give the listed frames to ``name``."""
        if len(frames):
            known = frames[(frames >= 0) & (frames < len(self.owners))]
            self.owners[known] |= self._bit(name)

    def give_record(self, name: str, storage: tuple[range, ...]) -> None:
        """Give a record's byte ranges to ``name``, except what is part of the kernel's image."""
        self.own.add(name)
        for byte_range in storage:
            frames = outward(byte_range)
            self.give(name, self.outside_image(np.arange(frames.start, frames.stop)))

    def outside_image(self, frames: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return the frames that are not the image's."""
        image = self._model.image
        return frames[(frames < image.start) | (frames >= image.stop)]


def build_ledger(model: Model, state: MemoryState, blocks: Blocks) -> Ledger:
    """Return who owns each of ``model``'s frames; ``blocks`` are the free blocks inside it."""
    builder = _Builder(model)
    if len(blocks.starts):
        builder.paint(FREE, blocks.cover > 0)
    for bitmap in state.bitmaps:
        if not bitmap.gone:
            free = np.flatnonzero(~bitmap.taken) + bitmap.first_frame
            builder.give(FREE, free)
            builder.give_record(f"bitmap {bitmap.name}", bitmap.storage)
    for bump in state.bumps:
        for one in bump.ranges:
            free_part = inward(range(one.cursor, min(one.end, FRAME_LIMIT * FRAME_SIZE)))
            builder.give(FREE, np.arange(free_part.start, free_part.stop))
        builder.give_record(f"bump allocator {bump.name}", bump.storage)
    tables = (state.page_tables.tables // FRAME_SIZE).astype(np.int64)
    builder.give(PAGE_TABLE, builder.outside_image(tables))
    for heap in state.heaps:
        builder.give(f"heap {heap.name}", heap_frames(heap, state.page_tables))
    for subblocks in state.subblock_heaps:
        if subblocks.owner is not None:
            builder.give(f"heap {subblocks.name}", subblock_frames(subblocks, state.page_tables))
    for chain in state.header_chains:
        if chain.owner is not None:
            builder.give(f"heap {chain.name}", chain_frames(chain, state.page_tables))
    for name, frames in _direct_frames(state):
        builder.give(name, frames)
    for record in state.metadata:
        builder.give_record(f"metadata {record.name}", record.storage)
    _give_user_space(builder, state)
    recorded = _give_recorded(builder, state)
    return Ledger(
        tuple(builder.names), builder.owners, recorded, _is_complete(state), frozenset(builder.own)
    )


def _give_user_space(builder: _Builder, state: MemoryState) -> None:
    spaces = state.address_spaces
    if spaces is None:
        return
    for space in spaces.spaces:
        tables = (space.user.tables // FRAME_SIZE).astype(np.int64)
        builder.give(PAGE_TABLE, builder.outside_image(tables))
        builder.give(USER_SPACE, own_frames(spaces, space))


def _direct_frames(state: MemoryState) -> Iterator[tuple[str, npt.NDArray[np.int64]]]:
    """Yield the frames of what heaps have in the linear map, by name."""
    for caches in state.caches:
        slabs = [slab.frame for cache in caches.caches for slab in cache.slabs]
        yield f"caches {caches.name}", np.array(slabs, dtype=np.int64)
    for blocks in state.large_blocks:
        for block in blocks.blocks:
            yield f"heap {blocks.name}", block.frames


def decoded_owners(state: MemoryState) -> dict[str, tuple[str, ...]]:
    """Return the frame table's owner names that decoded structures account for.

    Each comes with the names of those structures in the ledger.
    """
    names: dict[str, tuple[str, ...]] = {PAGE_TABLE: (PAGE_TABLE,)}
    for heap in state.heaps:
        names[heap.owner] = (*names.get(heap.owner, ()), f"heap {heap.name}")
    if state.address_spaces is not None:
        names[state.address_spaces.owner] = (USER_SPACE,)
    for subblocks in state.subblock_heaps:
        if subblocks.owner is not None:
            name = f"heap {subblocks.name}"
            names[subblocks.owner] = (*names.get(subblocks.owner, ()), name)
    for chain in state.header_chains:
        if chain.owner is not None:
            names[chain.owner] = (*names.get(chain.owner, ()), f"heap {chain.name}")
    for caches in state.caches:
        names[caches.owner] = (*names.get(caches.owner, ()), f"caches {caches.name}")
    for blocks in state.large_blocks:
        names[blocks.owner] = (*names.get(blocks.owner, ()), f"heap {blocks.name}")
    for record in state.metadata:
        if record.owner is not None:
            names[record.owner] = (*names.get(record.owner, ()), f"metadata {record.name}")
    return names


def _give_recorded(builder: _Builder, state: MemoryState) -> frozenset[str]:
    table = state.frame_table
    if table is None:
        return _give_held(builder, state)
    recorded = [name for name in table.owners if name not in decoded_owners(state)]
    for name in recorded:
        builder.give(name, np.flatnonzero(table.owners[name]) + table.first_frame)
    return frozenset(recorded)


def _give_held(builder: _Builder, state: MemoryState) -> frozenset[str]:
    if state.held is None:
        return frozenset()
    builder.give(HELD, np.flatnonzero(state.held.taken))
    return frozenset((HELD,))


def _is_complete(state: MemoryState) -> bool:
    if state.frame_table is not None:
        return bool(state.frame_table.owners)
    return state.held is not None


def check_ledger(model: Model, state: MemoryState, ledger: Ledger) -> tuple[Violation, ...]:
    """Report frames with two owners, with none, and with one that the model forbids."""
    findings = Findings("frames")
    owners = ledger.owners
    crowded = (owners & (owners - np.uint32(1))) != 0
    if crowded.any():
        reason = model.reason.astype(np.uint64) << np.uint64(_MODEL_WORD)
        for first, end, key in runs_by_key(crowded, owners | reason):
            word = owner_place(state, first)
            _report_owners(findings, model, ledger, (first, end, key), word)
    if ledger.complete:
        what, place = "neither free nor owned by anybody", partial(owner_place, state)
        findings.add_frames("leaked", owners == 0, what, ("V3",), word_of=place)
    return findings.result()


def _report_owners(
    findings: Findings,
    model: Model,
    ledger: Ledger,
    run: tuple[int, int, int],
    word: int | None,
) -> None:
    first, end, key = run
    names = [name for bit, name in enumerate(ledger.names) if key >> bit & 1]
    reason = key >> _MODEL_WORD
    words = f"{frames_in_words(first, end)} {is_or_are(first, end)}"
    address, length = first * FRAME_SIZE, (end - first) * FRAME_SIZE
    if RESERVED not in names:
        message = f"{words} owned by both {' and '.join(names)}"
        findings.add("two-owners", message, ("V4",), address, word=word, length=length)
        return
    others = [name for name in names if name != RESERVED]
    kind = "free-reserved" if FREE in others else "owned-reserved"
    breaks = ("V1",) if reason == NOT_USABLE else ("V2", "V4")
    verb = {
        NOT_USABLE: "[is|are]",
        FRAME_ZERO: "is",
        IMAGE: "[belongs|belong] to",
        LEFT_ALONE: "[is|are]",
    }
    but = in_number(verb.get(reason, "[holds|hold]"), one=end - first == 1)
    said = " and ".join(f"owned by {name}" if name != FREE else FREE for name in others)
    message = f"{words} {said}, but {but} {model.reasons[reason]}"
    findings.add(kind, message, breaks, address, word=word, length=length)
