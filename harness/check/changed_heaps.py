"""What has changed in what heaps have in them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from harness.check.changes import Addresses, Changes
from harness.decode.belief.heaps import Heap, LargeBlocks, SubblockHeap, SubblockValue
from harness.decode.belief.slabs import Cache, Caches, Slab
from harness.decode.state import MemoryState


@dataclass(frozen=True)
class _Block:
    """Something that somebody got from a heap."""

    size: int
    unit: str
    good: bool = True
    """Whether its header is."""


def note_heaps(changes: Changes, before: MemoryState, now: MemoryState) -> None:
    """Note what has changed in each heap."""
    for name, old, new in changes.pairs("heap", before.heaps, now.heaps):
        _note_blocks(changes, name, _of_heap(old), _of_heap(new))
        _note_counts(changes, name, old, new, ("blocks", "bytes", "frames"))
    for name, was, is_now in changes.pairs("heap", before.large_blocks, now.large_blocks):
        _note_blocks(changes, name, _of_large(was), _of_large(is_now))
        _note_counts(changes, name, was, is_now, ("count", "bytes", "frames"))
    pairs = changes.pairs("heap", before.subblock_heaps, now.subblock_heaps)
    for name, one, other in pairs:
        _note_subblocks(changes, name, one, other)
    for name, first, second in changes.pairs("caches", before.caches, now.caches):
        _note_caches(changes, name, first, second)


def _of_heap(heap: Heap) -> dict[int, _Block]:
    """Return the used areas by virtual address."""
    return {
        area.start: _Block(area.pages, "pages")
        if area.block is None
        else _Block(area.block.size, "bytes", area.block.magic_good)
        for area in heap.areas
        if area.used
    }


def _of_large(heap: LargeBlocks) -> dict[int, _Block]:
    """Return the blocks by virtual address of their headers."""
    return {block.header: _Block(block.size, "bytes", block.header_good) for block in heap.blocks}


def _of_subblocks(heap: SubblockHeap) -> dict[int, _Block]:
    """Return the allocations by virtual address: runs of one colour."""
    found: dict[int, _Block] = {}
    for block in heap.blocks:
        starts = np.flatnonzero(np.diff(block.map, prepend=np.uint8(SubblockValue.FREE)))
        ends = np.append(starts[1:], len(block.map))
        for first, end in zip(starts.tolist(), ends.tolist(), strict=True):
            if block.map[first] >= SubblockValue.COLOUR:
                size = (end - first) * heap.subblock
                found[block.start + first * heap.subblock] = _Block(size, "bytes")
    return found


def _note_blocks(
    changes: Changes, name: str, before: dict[int, _Block], now: dict[int, _Block]
) -> None:
    for address in sorted(before.keys() | now.keys()):
        old, new = before.get(address), now.get(address)
        place = f"block at virtual 0x{address:08x}"
        if old is None and new is not None:
            changes.add(name, f"{place}, {new.size} {new.unit}, is new")
        elif new is None and old is not None:
            changes.add(name, f"{place}, {old.size} {old.unit}, is no longer there")
        elif old is not None and new is not None and old != new:
            changes.add_value(name, f"{new.unit} of the {place}", old.size, new.size)
            if old.good != new.good:
                words = "is good again" if new.good else "is no longer the one that marks it"
                changes.add(name, f"the magic of the {place} {words}")


def _note_counts(
    changes: Changes, name: str, before: object, now: object, counts: Iterable[str]
) -> None:
    for count in counts:
        what = f"{count} by the kernel's count"
        changes.add_value(name, what, getattr(before, count), getattr(now, count))


def _note_subblocks(changes: Changes, name: str, before: SubblockHeap, now: SubblockHeap) -> None:
    old, new = ({block.start: block for block in heap.blocks} for heap in (before, now))
    for start in sorted(old.keys() ^ new.keys()):
        verb = "were taken" if start in new else "were given back"
        chunks = (new if start in new else old)[start].chunks
        changes.add(name, f"{chunks} chunks at virtual 0x{start:08x} {verb}")
    _note_blocks(changes, name, _of_subblocks(before), _of_subblocks(now))
    _note_counts(changes, name, before, now, ("live", "used", "held"))
    if before.spare != now.spare:
        changes.add(name, "another block is kept empty")


def _note_caches(changes: Changes, name: str, before: Caches, now: Caches) -> None:
    old, new = ({cache.address: cache for cache in one.caches} for one in (before, now))
    for address in sorted(old.keys() | new.keys()):
        if address not in new:
            changes.add(name, f"cache {old[address].name} is no longer there")
            continue
        cache = f"cache {new[address].name}"
        if address not in old:
            changes.add(name, f"{cache}, objects of {new[address].size} bytes, is new")
            continue
        _note_slabs(changes, name, old[address], new[address])
        objects = _live(old[address]), _live(new[address])
        changes.add_addresses(name, f"{cache}: object", np.setdiff1d(*objects[::-1]), "is live now")
        changes.add_addresses(name, f"{cache}: object", np.setdiff1d(*objects), "is no longer live")


def _note_slabs(changes: Changes, name: str, before: Cache, now: Cache) -> None:
    old, new = (np.array([slab.page for slab in cache.slabs], np.int64) for cache in (before, now))
    what = f"cache {now.name}: slab"
    changes.add_addresses(name, what, np.setdiff1d(new, old), "is new")
    changes.add_addresses(name, what, np.setdiff1d(old, new), "was given back")
    damaged = {one.address for slab in before.slabs for one in slab.damage}
    for slab in now.slabs:
        for one in slab.damage:
            if one.address not in damaged:
                changes.add(name, f"cache {now.name}: {one.kind} at virtual 0x{one.address:08x} "
                                  "was written over")  # fmt: skip


def _live(cache: Cache) -> Addresses:
    """Return the virtual addresses of all live objects of a cache."""
    found = [_live_in(cache, slab) for slab in cache.slabs]
    return np.concatenate(found) if found else np.zeros(0, dtype=np.int64)


def _live_in(cache: Cache, slab: Slab) -> Addresses:
    live = np.ones(max(0, cache.capacity), dtype=np.bool_)
    live[slab.free[(slab.free >= 0) & (slab.free < len(live))]] = False
    return slab.page + cache.first + np.flatnonzero(live) * cache.pitch
