"""Pages of user space, whichever way they came there: by a touch of a user region, or by hand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.check.pages import mapped_pages
from harness.check.runs import FRAME_SIZE, Mask
from harness.decode.belief.spaces import AddressSpaces, Space

PAGES = range((1 << 32) // FRAME_SIZE)
"""Of a 32-bit address space."""


@dataclass(frozen=True)
class RegionPages:
    """The mapped pages of one space's user regions; one element a page."""

    space: Space
    page: npt.NDArray[np.int64]
    """Virtual address divided by 4096."""
    frame: npt.NDArray[np.int64]
    region: npt.NDArray[np.int64]
    """Index into the space's regions."""
    zero: Mask
    """Whether it shows the shared page of zeros."""
    entries: npt.NDArray[np.void]
    """The element of the space's mappings that maps it."""


def region_pages(spaces: AddressSpaces, space: Space) -> RegionPages:
    """Return the mapped pages that lie in a region of ``space``."""
    mapped = mapped_pages(space.user, PAGES)
    region = _region_of(space, mapped.page)
    inside = region >= 0
    frame = mapped.frame[inside]
    zero = np.zeros(len(frame), dtype=np.bool_)
    if spaces.zero_page is not None:
        zero = frame == spaces.zero_page // FRAME_SIZE
    entries = mapped.entries[mapped.mapping[inside]]
    return RegionPages(space, mapped.page[inside], frame, region[inside], zero, entries)


def _region_of(space: Space, pages: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return for each page the index of a region that holds it, -1 where none does."""
    found = np.full(len(pages), -1, dtype=np.int64)
    for index, region in enumerate(space.regions):
        first = int(np.searchsorted(pages, region.start // FRAME_SIZE))
        end = int(np.searchsorted(pages, region.addresses.stop // FRAME_SIZE))
        found[first:end] = index
    return found


def own_frames(spaces: AddressSpaces, space: Space) -> npt.NDArray[np.int64]:
    """Return the frames that pages of user regions have of their own, one element a page."""
    pages = region_pages(spaces, space)
    return pages.frame[~pages.zero]


def by_hand(space: Space) -> npt.NDArray[np.void]:
    """Return the mappings of user space that do not begin in a region."""
    mappings = space.user.mappings
    outside = _region_of(space, (mappings["virtual"] // FRAME_SIZE).astype(np.int64)) < 0
    found: npt.NDArray[np.void] = mappings[outside]
    return found
