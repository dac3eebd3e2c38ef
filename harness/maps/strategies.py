"""Memory maps for Hypothesis, with a liking for the places where memory managers go wrong.

For property tests of your own: ``@given(memory_maps())``. Needs the extra ``property``. Everything
shrinks to fewer entries, at borders, of type 1.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from functools import lru_cache

from hypothesis import strategies as st
from hypothesis.errors import InvalidArgument

from harness.maps import library
from harness.maps.memory_map import LEAST_MEMORY, MEBIBYTE, MemoryMap
from harness.maps.region import ADDRESS_SPACE, FOUR_GIB, PAGE_SIZE, Region
from harness.maps.scale import scale

PC_BORDERS = (0, PAGE_SIZE, 0x9FC00, 0xA0000, MEBIBYTE, 15 * MEBIBYTE, 16 * MEBIBYTE, FOUR_GIB)
"""Physical addresses at which something begins or ends on every PC."""
TYPES = (*[1] * 9, 2, 3, 4, 5, 0, 6, 7, 12, 16, 0x101, 0xFFFFFFFF)
"""Usable RAM most of the time; what specifications name; others that firmware was seen to give."""
NEAR = (0, 1, 4, 16, PAGE_SIZE - 1, PAGE_SIZE, PAGE_SIZE + 1, 1 << 16)
MOST_ENTRIES = 160
"""Entries of a map; SeaBIOS gives at most 128."""
ISLANDS = (1, 2, 8, 31, 32, 33, 127, 128, 129)
"""Regions of a comb: around the sizes of tables that kernels copy a map to."""

Entries = tuple[Region, ...]

_once = lru_cache(maxsize=256)
"""Makes one strategy of the same arguments: Hypothesis works out much before the first draw from
each, and maps are drawn in half the time."""


class _Fate(Enum):
    """What becomes of an entry of a real map."""

    LEFT_OUT = "left out"
    KEPT = "kept"
    MOVED = "with another end"
    CHANGED = "of another type"
    DOUBLED = "twice"


_FATES = st.sampled_from(
    (_Fate.LEFT_OUT, *[_Fate.KEPT] * 44, _Fate.MOVED, _Fate.CHANGED, _Fate.DOUBLED)
)
"""An entry of a map that fails is left out first of all: that is how such a map gets small."""


def memory_maps(
    memory: int = 64 * MEBIBYTE, borders: Iterable[int] = (), most: int = 8
) -> st.SearchStrategy[MemoryMap]:
    """Return maps for a machine with ``memory`` bytes of RAM: made up, real ones, and both.

    ``borders`` are physical addresses of interest besides :data:`PC_BORDERS`, such as where the
    kernel's zones end. On top of RAM from 1 MiB on, a real map, or seldom nothing come up to
    ``most`` single regions, combs of many islands and real maps, unsorted and overlapping. Some go
    on as another map from some address on. What is of real maps has some of its entries changed.
    Raise :class:`hypothesis.errors.InvalidArgument` for less memory than a map can be about.
    """
    if not isinstance(memory, int) or memory < LEAST_MEMORY:
        raise InvalidArgument(f"memory={memory!r}: give bytes, at least {LEAST_MEMORY}")
    return _memory_maps(memory, tuple(borders), most)


@_once
@st.composite
def _memory_maps(draw: st.DrawFn, memory: int, borders: tuple[int, ...], most: int) -> MemoryMap:
    places = _addresses((*PC_BORDERS, memory, memory - PAGE_SIZE, *borders), memory)
    entries = _entries(memory, places, most)
    found = draw(entries)
    if draw(_ONE_IN_FOUR):
        found = _splice(found, draw(entries), draw(places))
    return MemoryMap(found[:MOST_ENTRIES])


_ONE_IN_FOUR = st.sampled_from((False, False, False, True))


@_once
@st.composite
def _entries(draw: st.DrawFn, memory: int, places: st.SearchStrategy[int], most: int) -> Entries:
    found: list[Region] = []
    first = draw(_FIRSTS)
    if first is _First.HIGH:
        found.append(Region(MEBIBYTE, memory - MEBIBYTE, 1))
    elif first is _First.REAL:
        found += draw(real_maps(memory, places))
    for part in draw(_parts(memory, places))[:most]:
        found += part
    return tuple(found)


@_once
def _parts(memory: int, places: st.SearchStrategy[int]) -> st.SearchStrategy[list[Entries]]:
    # For shrinking: a part becomes nothing in one step, and a list with a limit is stuck there.
    single = regions(places).map(lambda region: (region,))
    return st.lists(st.just(()) | single | combs(places) | real_maps(memory, places))


class _First(Enum):
    """What the other parts of a map lie upon."""

    HIGH = "all of RAM from 1 MiB on"
    REAL = "a real map"
    NOTHING = "nothing"


_FIRSTS = st.sampled_from((*[_First.HIGH] * 6, *[_First.REAL] * 10, _First.NOTHING))
"""The first one is what a map that fails shrinks to: a kernel has something to manage there."""


@_once
def _addresses(borders: tuple[int, ...], memory: int) -> st.SearchStrategy[int]:
    return addresses(borders, memory)


def addresses(borders: Iterable[int], memory: int) -> st.SearchStrategy[int]:
    """Return physical addresses at the borders or near them, in ``memory``, or anywhere."""
    places = st.sampled_from(sorted(set(borders)))
    moved = st.builds(
        lambda place, by, sign: (place + sign * by) % ADDRESS_SPACE,
        places,
        st.sampled_from(NEAR),
        st.sampled_from((1, -1)),
    )
    return places | moved | st.integers(0, memory) | st.integers(0, ADDRESS_SPACE - 1)


@st.composite
def regions(draw: st.DrawFn, places: st.SearchStrategy[int]) -> Region:
    """Return usable regions between such addresses, and short ones of all types.

    One of a type that is not usable, and that goes on for long, leaves nothing to manage.
    """
    if draw(_BOOLEANS):
        return _between(draw(places), draw(places), 1)
    return Region(draw(places), draw(_LENGTHS), draw(_TYPES))


_BOOLEANS = st.booleans()
_LENGTHS = st.sampled_from(NEAR) | st.integers(0, 4 * MEBIBYTE)
_TYPES = st.sampled_from(TYPES)


def _between(one: int, other: int, type_: int) -> Region:
    return Region(min(one, other), abs(one - other), type_)


@_once
@st.composite
def real_maps(draw: st.DrawFn, memory: int, places: st.SearchStrategy[int]) -> Entries:
    """Return a plain PC's or a real map, scaled into ``memory`` or less, a little changed.

    Ends of usable entries go anywhere, others not far.
    """
    name = draw(_names())
    room = max(LEAST_MEMORY, memory >> draw(_HALVINGS))
    found: list[Region] = []
    for entry in _scaled(name, room):
        fate = draw(_FATES)
        if fate is _Fate.MOVED:
            end = draw(places if entry.usable else _near(entry.end))
            found.append(_between(entry.base, end, entry.type))
        elif fate is _Fate.CHANGED:
            found.append(Region(entry.base, entry.length, draw(_TYPES)))
        else:
            found += [entry] * _COPIES[fate]
    return tuple(found)


_HALVINGS = st.sampled_from((0, 0, 0, 1, 2))


@_once
def _names() -> st.SearchStrategy[str]:
    return st.sampled_from(["", *library.names()])


@_once
def _near(address: int) -> st.SearchStrategy[int]:
    return st.sampled_from([max(0, address - by) for by in NEAR] + [address + by for by in NEAR])


_COPIES = {_Fate.LEFT_OUT: 0, _Fate.KEPT: 1, _Fate.DOUBLED: 2}


@lru_cache(maxsize=1024)
def _scaled(name: str, memory: int) -> Entries:
    found = scale(library.get(name), memory) if name else MemoryMap.pc(memory)
    return found.entries


def combs(places: st.SearchStrategy[int]) -> st.SearchStrategy[Entries]:
    """Return many usable islands in a row, with holes of a byte up to a megabyte between them."""
    return st.builds(_comb, places, st.sampled_from(ISLANDS), st.sampled_from(_WIDTHS_AND_HOLES))


_WIDTHS_AND_HOLES = (
    (PAGE_SIZE, PAGE_SIZE),
    (1, PAGE_SIZE - 1),
    (PAGE_SIZE - 1, 1),
    (PAGE_SIZE + 1, PAGE_SIZE - 1),
    (5 * PAGE_SIZE, 1 << 16),
    (PAGE_SIZE, MEBIBYTE - PAGE_SIZE),
)
"""In bytes. All islands of a comb begin alike within a frame: one shows what fails there."""


def _comb(start: int, islands: int, width_and_hole: tuple[int, int]) -> Entries:
    width, hole = width_and_hole
    starts = (start + index * (width + hole) for index in range(islands))
    return tuple(Region(at, width, 1) for at in starts if at < ADDRESS_SPACE)


def _splice(one: Entries, other: Entries, address: int) -> Entries:
    """Return what of ``one`` begins before ``address``, and what of ``other`` does behind it."""
    low = (entry for entry in one if entry.base < address)
    return (*low, *(entry for entry in other if entry.base >= address))
