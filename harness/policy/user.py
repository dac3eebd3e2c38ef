"""User regions and demand paging: which address, which kind of page, and what a touch finds.

Regions are placed at the lowest address at which they fit between others and pages that were mapped
by hand. A page of a region is absent until it is touched; a read shows the shared page of zeros, a
write gives it a frame of its own, zeroed. Each address space has its own regions and pages. How
many frames there are is not part of this: memory is taken to suffice.

Addresses are virtual, in bytes.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from harness.decode.belief.paging import FRAME_SIZE
from harness.decode.belief.spaces import MapPart, Space
from harness.decode.state import MemoryState

WORD = 4


class PageKind(enum.Enum):
    """What a page of a user region shows."""

    ABSENT = "absent"
    ZERO = "the shared page of zeros"
    OWN = "a frame of its own"


@dataclass
class _Space:
    """One address space."""

    regions: dict[int, int] = field(default_factory=dict)
    """Start → pages."""
    pages: dict[int, PageKind] = field(default_factory=dict)
    """Address of a page of a region → what it shows, unless it is absent."""
    by_hand: set[int] = field(default_factory=set)
    """Addresses of mapped pages outside regions."""
    words: dict[int, int] = field(default_factory=dict)
    """Address → what was written there, unless it is zero or was never written."""


class UserPolicy:
    """The address spaces of one machine; see the module."""

    def __init__(self, start: int, end: int) -> None:
        """User space is [``start``, ``end``); there is one space, number 0, and it is current."""
        self.start, self.end = start, end
        self._spaces = {0: _Space()}
        self._created = 1
        self.current = 0

    @classmethod
    def of(cls, state: MemoryState) -> UserPolicy:
        """Begin with what is there; the contents of pages with frames of their own are unknown.

        Raise ``ValueError`` for a state without address spaces or without a part for users.
        """
        spaces = state.address_spaces
        part = _user_part(spaces.map if spaces else ())
        assert spaces is not None
        policy = cls(part.start, part.end)
        policy._spaces = {
            space.number: _space_of(space, spaces.zero_page) for space in spaces.spaces
        }
        policy._created = 1 + max(policy._spaces)
        policy.current = next(space.number for space in spaces.spaces if space.current)
        return policy

    @property
    def numbers(self) -> set[int]:
        """The address spaces that there are."""
        return set(self._spaces)

    def regions(self, number: int | None = None) -> dict[int, int]:
        """Return start → pages of a space's regions (by default the current one's)."""
        return dict(self._space(number).regions)

    def pages(self, number: int | None = None) -> dict[int, PageKind]:
        """Return address → kind of the pages of regions that are not absent."""
        return dict(self._space(number).pages)

    def words(self, page: int, number: int | None = None) -> dict[int, int]:
        """Return address → value of the words of a page that were written."""
        words = self._space(number).words.items()
        return {address: value for address, value in words if page <= address < page + FRAME_SIZE}

    def create(self) -> int:
        """Make an empty address space and return its number, which is never given twice."""
        number, self._created = self._created, self._created + 1
        self._spaces[number] = _Space()
        return number

    def destroy(self, number: int) -> None:
        """Forget an address space, which must not be the current one."""
        assert number != self.current
        del self._spaces[number]

    def switch(self, number: int) -> None:
        """Make an address space the current one."""
        assert number in self._spaces
        self.current = number

    def alloc(self, pages: int) -> int:
        """Return the start of a new region of the current space, 0 when none fits."""
        space, size = self._space(None), pages * FRAME_SIZE
        taken = [(start, count * FRAME_SIZE) for start, count in space.regions.items()]
        taken += [(page, FRAME_SIZE) for page in space.by_hand]
        candidate = self.start
        for start, length in sorted(taken):
            if start - candidate >= size:
                break
            candidate = max(candidate, start + length)
        if not pages or self.end - candidate < size:
            return 0
        space.regions[candidate] = pages
        return candidate

    def alloc_at(self, start: int, pages: int) -> bool:
        """Make a region of the current space at ``start``; return False when it does not fit."""
        space, end = self._space(None), start + pages * FRAME_SIZE
        aligned = start % FRAME_SIZE == 0 and pages > 0
        apart = all(
            end <= other or start >= other + count * FRAME_SIZE
            for other, count in space.regions.items()
        )
        mapped = any(start <= page < end for page in space.by_hand)
        fits = aligned and self.start <= start and end <= self.end and apart and not mapped
        if fits:
            space.regions[start] = pages
        return fits

    def map_by_hand(self, page: int) -> bool:
        """Map a page of the current space to somebody's frame; return False where it cannot be."""
        space = self._space(None)
        fits = self.start <= page < self.end and not self._in_region(page)
        if not fits or page in space.by_hand:
            return False
        space.by_hand.add(page)
        return True

    def unmap_by_hand(self, page: int) -> None:
        """Undo :meth:`map_by_hand`."""
        self._space(None).by_hand.remove(page)

    def by_hand(self, number: int | None = None) -> set[int]:
        """Return the addresses of a space's pages that were mapped by hand; see :meth:`regions`."""
        return set(self._space(number).by_hand)

    def free(self, start: int) -> None:
        """Forget a region of the current space, with its pages and what they hold."""
        space = self._space(None)
        addresses = range(start, start + space.regions.pop(start) * FRAME_SIZE)
        space.pages = {page: kind for page, kind in space.pages.items() if page not in addresses}
        space.words = {word: value for word, value in space.words.items() if word not in addresses}

    def read(self, address: int) -> int | None:
        """Return the word that a read finds, None for a fault; the page may appear."""
        if not self._in_region(address):
            return None
        space = self._space(None)
        space.pages.setdefault(address // FRAME_SIZE * FRAME_SIZE, PageKind.ZERO)
        return space.words.get(address // WORD * WORD, 0)

    def write(self, address: int, value: int) -> bool:
        """Write a word; return False for a fault. The page gets a frame of its own."""
        if not self._in_region(address):
            return False
        space = self._space(None)
        space.pages[address // FRAME_SIZE * FRAME_SIZE] = PageKind.OWN
        space.words[address // WORD * WORD] = value
        return True

    def kind(self, address: int) -> PageKind:
        """Return what the page at an address of the current space shows."""
        return self._space(None).pages.get(address // FRAME_SIZE * FRAME_SIZE, PageKind.ABSENT)

    def _space(self, number: int | None) -> _Space:
        return self._spaces[self.current if number is None else number]

    def _in_region(self, address: int) -> bool:
        regions = self._space(None).regions.items()
        return any(start <= address < start + pages * FRAME_SIZE for start, pages in regions)


def _user_part(parts: tuple[MapPart, ...]) -> MapPart:
    users = [part for part in parts if part.user]
    if len(users) != 1:
        raise ValueError(f"{len(users)} parts of the map of an address space are the users'")
    return users[0]


def _space_of(space: Space, zero_page: int | None) -> _Space:
    found = _Space(regions={region.start: region.pages for region in space.regions})
    for mapping in space.user.mappings:
        page = int(mapping["virtual"])
        if not any(page in region.addresses for region in space.regions):
            found.by_hand.add(page)
        elif int(mapping["physical"]) == zero_page:
            found.pages[page] = PageKind.ZERO
        else:
            found.pages[page] = PageKind.OWN
    return found
