"""What has changed in what heaps have in them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from harness.check.changes import Addresses, Changes
from harness.decode.belief.heaps import HeaderChain, Heap, LargeBlocks, SubblockHeap
from harness.decode.belief.paging import FRAME_SIZE
from harness.decode.belief.slabs import Cache, Caches, Slab
from harness.decode.state import MemoryState
from harness.decode.subblock_map import addresses_of, runs_of

_BLOCK = np.dtype([("address", "<i8"), ("size", "<i8"), ("good", "?")])
"""What somebody got from a heap: virtual address, bytes, and whether its header is right."""

_Blocks = npt.NDArray[np.void]


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
    for name, chain, next_ in changes.pairs("heap", before.header_chains, now.header_chains):
        _note_blocks(changes, name, _of_chain(chain), _of_chain(next_))
        _note_counts(changes, name, chain, next_, ("live", "bytes"))
    for name, first, second in changes.pairs("caches", before.caches, now.caches):
        _note_caches(changes, name, first, second)


def _of_heap(heap: Heap) -> _Blocks:
    """Return the used areas; one whose header cannot be read counts with all of its pages."""
    return _blocks(
        (area.start, area.pages * FRAME_SIZE, False)
        if area.block is None
        else (area.start, area.block.size, area.block.magic_good)
        for area in heap.areas
        if area.used
    )


def _of_large(heap: LargeBlocks) -> _Blocks:
    return _blocks((block.header, block.size, block.header_good) for block in heap.blocks)


def _of_chain(chain: HeaderChain) -> _Blocks:
    """Return the used blocks; the address is that of the bytes, behind the header."""
    used = chain.blocks[chain.blocks["used"]]
    found = np.empty(len(used), dtype=_BLOCK)
    found["address"] = used["header"] + chain.header_size
    found["size"], found["good"] = used["size"], used["good"]
    return found


def _of_subblocks(heap: SubblockHeap) -> _Blocks:
    """Return the allocations as far as colours tell them apart."""
    live = runs_of(heap).live
    found = np.ones(len(live.first), dtype=_BLOCK)
    found["address"] = addresses_of(heap, live.first)
    found["size"] = live.length * heap.subblock
    return found


def _blocks(rows: Iterable[tuple[int, int, bool]]) -> _Blocks:
    return np.array(list(rows), dtype=_BLOCK)


def _note_blocks(changes: Changes, name: str, before: _Blocks, now: _Blocks) -> None:
    _note_missing(changes, name, now, before["address"], "is new")
    _note_missing(changes, name, before, now["address"], "is no longer there")
    _, first, second = np.intersect1d(before["address"], now["address"], return_indices=True)
    old, new = before[first], now[second]
    changed = np.flatnonzero((old["size"] != new["size"]) | (old["good"] != new["good"]))
    messages = (_in_words(old[at], new[at]) for at in changed)
    changes.add_each(name, messages, len(changed))


def _note_missing(
    changes: Changes, name: str, blocks: _Blocks, addresses: Addresses, verb: str
) -> None:
    """Note those of ``blocks`` that are at none of the ``addresses``."""
    missing = np.sort(blocks[~np.isin(blocks["address"], addresses)], order="address")
    messages = (
        f"block at virtual 0x{one['address']:08x}, {one['size']} bytes, {verb}" for one in missing
    )
    changes.add_each(name, messages, len(missing))


def _in_words(old: np.void, new: np.void) -> str:
    place = f"block at virtual 0x{new['address']:08x}"
    if old["size"] != new["size"]:
        return f"{place} has {new['size']} bytes, before {old['size']}"
    return f"{place}: its header is {'good again' if new['good'] else 'no longer what marks it'}"


def _note_counts(
    changes: Changes, name: str, before: object, now: object, counts: Iterable[str]
) -> None:
    for count in counts:
        what = f"{count} by the kernel's count"
        changes.add_value(name, what, getattr(before, count), getattr(now, count))


def _note_subblocks(changes: Changes, name: str, before: SubblockHeap, now: SubblockHeap) -> None:
    for these, others, verb in (
        (now.blocks, before.blocks, "were taken"),
        (before.blocks, now.blocks, "were given back"),
    ):
        missing = these[~np.isin(these["start"], others["start"])]
        messages = (
            f"{one['chunks']} chunks at virtual 0x{one['start']:08x} {verb}" for one in missing
        )
        changes.add_each(name, messages, len(missing))
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
