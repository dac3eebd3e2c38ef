"""Slab caches: lists against population, headers, counters, and what lies around the objects."""

from __future__ import annotations

from collections import Counter

import numpy as np

from harness.check.findings import Findings
from harness.check.runs import FRAME_SIZE, counted, frames_in_words
from harness.check.violation import Violation
from harness.decode.belief.slabs import Cache, Caches, Slab
from harness.decode.state import MemoryState


def check_slabs(state: MemoryState) -> tuple[Violation, ...]:
    """Report slabs whose header, list, free objects and counters contradict each other."""
    findings = Findings("slab")
    for caches in state.caches:
        for cache in caches.caches:
            for slab in cache.slabs:
                _check_header(findings, cache, slab)
                _check_population(findings, cache, slab)
                _check_state(findings, cache, slab)
                _check_damage(findings, cache, slab)
            _check_counters(findings, cache)
        _check_shared(findings, caches)
    return findings.result()


def _named(cache: Cache, slab: Slab) -> str:
    return f"the slab of cache {cache.name} at virtual 0x{slab.page:x}"


def _check_header(findings: Findings, cache: Cache, slab: Slab) -> None:
    address = slab.page + cache.header.start
    if not slab.header_good:
        message = f"{_named(cache, slab)} has a header that is overwritten, or belongs elsewhere"
        findings.add("header", message, ("V5", "V9"), address, physical=False)
    if slab.cache != cache.address:
        message = (
            f"{_named(cache, slab)} says that its cache is at virtual 0x{slab.cache:x}, "
            f"but it is on a list of the one at 0x{cache.address:x}"
        )
        findings.add("cache", message, ("V4", "V5"), address, physical=False)


def _right_list(cache: Cache, slab: Slab) -> str:
    if len(slab.free) == 0:
        return "full"
    return "empty" if len(slab.free) == cache.capacity else "partial"


def _check_population(findings: Findings, cache: Cache, slab: Slab) -> None:
    """The free list is the truth: what hangs on it will be given out."""
    free, right = len(slab.free), _right_list(cache, slab)
    if slab.listed != right:
        message = (
            f"{_named(cache, slab)} is on the {slab.listed} list, but {free} of its "
            f"{counted(cache.capacity, 'object')} {'is' if free == 1 else 'are'} free: "
            f"it belongs on the {right} one"
        )
        findings.add("list", message, ("V3", "V5"), slab.page, physical=False)
    live = cache.capacity - free
    if slab.in_use is not None and slab.in_use != live:
        message = (
            f"{_named(cache, slab)} counts {counted(slab.in_use, 'object')} in use, "
            f"but {live} of them {'is' if live == 1 else 'are'} not free"
        )
        address = slab.page + cache.header.start
        findings.add("in-use", message, ("V3", "V6"), address, physical=False)


def _check_state(findings: Findings, cache: Cache, slab: Slab) -> None:
    """Each object is in one state: live by the header's note, or on the free list."""
    if slab.live is None:
        return
    free = np.zeros(cache.capacity, dtype=np.bool_)
    free[slab.free] = True
    for kind, wrong, words, breaks in (
        ("live-and-free", slab.live & free, "live, but on the free list", ("V4",)),
        ("lost", ~slab.live & ~free, "neither live nor on the free list", ("V3",)),
    ):
        for index in np.flatnonzero(wrong).tolist():
            address = slab.page + cache.first + index * cache.pitch
            message = f"object {index} of {_named(cache, slab)} (0x{address:x}) is {words}"
            findings.add(kind, message, breaks, address, physical=False)


def _check_damage(findings: Findings, cache: Cache, slab: Slab) -> None:
    for one in slab.damage:
        offset = one.address - one.object
        if one.kind == "poison":
            where = f"byte {offset} of the free object"
        elif offset < 0:
            where = f"byte {-offset} before the object"
        else:
            where = f"byte {offset - cache.size} behind the object"
        message = (
            f"{where} at virtual 0x{one.object:x} of cache {cache.name} is 0x{one.found:02x}, "
            f"where the {one.kind} has 0x{one.wanted:02x}"
        )
        kind = one.kind.replace(" ", "-")
        findings.add(kind, message, ("V9",), one.address, physical=False)


def _check_counters(findings: Findings, cache: Cache) -> None:
    live = sum(cache.capacity - len(slab.free) for slab in cache.slabs)
    for name, count, right in (
        ("live objects", cache.live_count, live),
        ("slabs", cache.slab_count, len(cache.slabs)),
    ):
        if count is not None and count != right:
            message = f"cache {cache.name} counts {count} {name}, but it has {right}"
            findings.add("counter", message, ("V6",), cache.address, physical=False)


def _check_shared(findings: Findings, caches: Caches) -> None:
    """A frame may be one slab, of one cache, on one list."""
    found = Counter(slab.frame for cache in caches.caches for slab in cache.slabs)
    for frame, times in found.items():
        if times > 1:
            names = sorted(
                {
                    cache.name
                    for cache in caches.caches
                    if any(s.frame == frame for s in cache.slabs)
                }
            )
            message = (
                f"{frames_in_words(frame, frame + 1)} is {times} slabs, of {' and '.join(names)}"
            )
            findings.add("shared", message, ("V4",), frame * FRAME_SIZE)
