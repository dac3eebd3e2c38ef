"""What is known of a virtual address: where it leads, and what is meant to be there."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from harness.check.known import Fact
from harness.check.known_frames import MOST_MAPPINGS
from harness.check.observation import Observation
from harness.check.runs import FRAME_SIZE
from harness.decode.belief.paging import PageTables
from harness.decode.page_walk import Walk, walk
from harness.image.place import place_in_image


def translated(seen: Observation, virtual: int) -> Walk:
    """Return how the CPU translates a virtual address."""
    return walk(seen.guest.ram, seen.control, virtual)


def known_virtual(seen: Observation, virtual: int) -> Iterator[Fact]:
    """Yield what is known of a virtual address, but for what heaps say and what is behind it."""
    found = translated(seen, virtual)
    if found.fault is not None:
        yield Fact("translation", f"none: {found.fault.reason} (level {found.fault.level})")
    elif found.steps:
        rights = rights_in_words(found.writable, found.executable, found.user)
        size = f"page of {found.page_size >> 10} KiB"
        yield Fact("translation", f"physical 0x{found.physical:x}, {size}, {rights}")
    for topic, words in place_in_image(seen.kernel, virtual):
        yield Fact(topic, words)
    yield from _regions(seen, virtual)


def rights_in_words(writable: bool, executable: bool, user: bool) -> str:
    """Return effective rights as ``read, write, execute; kernel only``."""
    words = ["read", *["write"] * writable, *["execute"] * executable]
    return f"{', '.join(words)}; {'user and kernel' if user else 'kernel only'}"


def _regions(seen: Observation, virtual: int) -> Iterator[Fact]:
    """Yield the parts of the address space in which it lies, promised and believed."""
    model, page = seen.inspection.model, virtual // FRAME_SIZE
    for linear in model.linear:
        if page in linear.pages:
            yield Fact("address space", f"{linear.name}, for frame 0x{page - linear.pages.start:x}")
    if any(page in window for window in model.windows):
        yield Fact("address space", "window for temporary mappings")
    if page in model.user:
        yield Fact("address space", "user programs'")
    spaces = seen.state.address_spaces
    if spaces is None:
        return
    for part in spaces.map:
        if part.start <= virtual < part.end:
            yield Fact("the kernel's map", part.name)
    for space in spaces.spaces:
        for region in space.regions:
            if virtual in region.addresses:
                yield Fact("user region", f"0x{region.start:x}, of address space {space.number}")


def mappings_to(seen: Observation, physical: int) -> Iterator[tuple[int, str]]:
    """Yield each virtual address that leads to a physical one, and how, in words.

    Those of the address space in use first, then user pages of the others.
    """
    for virtual, words in _mappings(seen.tables, physical):
        yield virtual, words
    spaces = seen.state.address_spaces
    for space in spaces.spaces if spaces else ():
        if not space.current:
            for virtual, words in _mappings(space.user, physical):
                yield virtual, f"{words}, in address space {space.number}"


def _mappings(tables: PageTables, physical: int) -> Iterator[tuple[int, str]]:
    pages = tables.mappings
    start = pages["physical"]
    hits = np.flatnonzero((start <= physical) & (physical < start + pages["size"]))
    for index in hits[:MOST_MAPPINGS].tolist():
        page = pages[index]
        virtual = int(page["virtual"]) + physical - int(page["physical"])
        flags = (bool(page[name]) for name in ("writable", "executable", "user"))
        yield virtual, rights_in_words(*flags)
    if len(hits) > MOST_MAPPINGS:
        yield -1, f"and {len(hits) - MOST_MAPPINGS} more"
