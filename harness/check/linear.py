"""What the kernel's linear maps must look like, page by page.

A linear map has one virtual page for each frame, in order. It must map exactly the frames of the
sets that the description names, without its exceptions, with the rights of the ELF's segments
where the image lies.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from harness.check.addresses import address_in, pages_of, whole_pages
from harness.check.runs import outward
from harness.image.kernel_image import KernelImage, Segment
from harness.image.schema.layout import LinearMapping

PRESENT = 1
WRITABLE = 2
USER = 4
GLOBAL = 8
WRONG_FRAME = 16
UNCACHED = 32
"""The entry has PCD or PWT set."""
USER_ENTRY = 64
"""Only an entry above keeps user programs out."""

PageCodes = npt.NDArray[np.uint8]
"""One element a page: a sum of the constants above."""


@dataclass(frozen=True)
class LinearMap:
    """One linear map of the description, its addresses worked out. Page numbers are virtual."""

    name: str
    pages: range
    sets: tuple[str, ...]
    writable: bool
    user: bool
    global_: bool
    read_only: tuple[range, ...]
    """Frames of the image's segments that may not be written, wherever those are linked."""
    writable_image: tuple[range, ...]
    """Frames of its writable segments; they win over a read-only one in the same frame."""
    exceptions: tuple[tuple[str, range], ...]
    """Pages that are left out, with how the description names their start."""

    def expected(self, usable: npt.NDArray[np.bool_], image: range, global_on: bool) -> PageCodes:
        """Return what each page must be; ``global_on`` is CR4.PGE."""
        value = self._rights(global_on)
        codes = np.full(len(self.pages), value if "all" in self.sets else 0, dtype=np.uint8)
        if "usable" in self.sets:
            known = usable[: len(codes)]
            codes[: len(known)][known] = value
        if "image" in self.sets:
            codes[image.start : image.stop] = value
        self._set_writable(codes, self.read_only, False)
        self._set_writable(codes, self.writable_image, True)
        for _, pages in self.exceptions:
            codes[self.within(pages)] = 0
        return codes

    def _rights(self, global_on: bool) -> int:
        rights = PRESENT | (WRITABLE if self.writable else 0) | (USER if self.user else 0)
        return rights | (GLOBAL if self.global_ and global_on else 0)

    def _set_writable(self, codes: PageCodes, ranges: tuple[range, ...], on: bool) -> None:
        for frames in ranges:
            part = codes[frames.start : frames.stop]
            present = (part & PRESENT) != 0
            part[present] = (part[present] & ~np.uint8(WRITABLE)) | (WRITABLE if on else 0)

    def within(self, pages: range) -> slice:
        """Return the part of this map's arrays that virtual ``pages`` are."""
        first = max(pages.start, self.pages.start) - self.pages.start
        return slice(first, max(first, pages.stop - self.pages.start))


@lru_cache(maxsize=8)
def linear_maps(kernel: KernelImage) -> tuple[LinearMap, ...]:
    """Return the linear maps that ``kernel``'s description promises."""
    described = kernel.description.page_tables.linear
    return tuple(_linear_map(kernel, mapping) for mapping in described)


def _linear_map(kernel: KernelImage, mapping: LinearMapping) -> LinearMap:
    return LinearMap(
        name=mapping.name,
        pages=whole_pages(kernel, mapping.name, mapping.virtual, mapping.end),
        sets=mapping.frames,
        writable=mapping.writable,
        user=mapping.user,
        global_=mapping.global_,
        read_only=tuple(_frames(part) for part in kernel.segments if not part.writable),
        writable_image=tuple(_frames(part) for part in kernel.segments if part.writable),
        exceptions=tuple(
            (start, pages_of(address_in(kernel, start), address_in(kernel, end)))
            for start, end in mapping.except_
        ),
    )


@lru_cache(maxsize=8)
def window_pages(kernel: KernelImage) -> tuple[range, ...]:
    """Return the virtual pages of each window that ``kernel``'s description promises."""
    described = kernel.description.page_tables.window
    return tuple(whole_pages(kernel, one.name, one.virtual, one.end) for one in described)


def user_pages(kernel: KernelImage, linear: tuple[LinearMap, ...]) -> range:
    """Return the virtual pages of user programs: as described, else below every linear map."""
    user = kernel.description.page_tables.user
    if user is not None:
        return whole_pages(kernel, "user space", user.virtual, user.end)
    return range(min((one.pages.start for one in linear), default=0))


def _frames(segment: Segment) -> range:
    return outward(range(segment.physical, segment.physical + segment.memory_size))
