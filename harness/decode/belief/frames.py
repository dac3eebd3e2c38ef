"""What a kernel believes of physical memory and its frames."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from harness.decode.belief.fault import DecodeFault


@dataclass(frozen=True)
class MapRegion:
    """A region of the kernel's own copy of the firmware's map, in frames."""

    start: int
    end: int
    """First frame behind it."""
    usable: bool


@dataclass(frozen=True)
class Bitmap:
    """A bitmap over frames; ``taken[i]`` is about frame ``first_frame + i``."""

    name: str
    first_frame: int
    taken: npt.NDArray[np.bool_]
    padding_taken: bool
    """Whether the bits of the last word beyond the last frame all say taken."""
    storage: tuple[range, ...]
    """Physical byte ranges of the bitmap itself, unless they are among the state's metadata."""
    free_count: int | None = None
    """The kernel's own count of free frames."""
    gone: bool = False
    """Handed over: the kernel says that it no longer exists; ``taken`` is empty."""
    chosen: bool = True
    """Whether this boot has it in use at all; if not, ``taken`` is empty."""
    reserved: npt.NDArray[np.bool_] | None = None
    """The kernel's own note of the frames that are never given out; like ``taken``."""
    managed_count: int | None = None
    """The kernel's own count of the others."""
    cursor: int | None = None
    """The frame at which the next search begins, where that is not the lowest one."""
    places: dict[str, int] = field(default_factory=dict, compare=False)
    """Virtual addresses of what was decoded, by the description's key: ``words``, ``reserved``,
    and the counters."""


@dataclass(frozen=True)
class BumpRange:
    """Memory that is given out from its start up; physical addresses in bytes."""

    start: int
    cursor: int
    """First byte that has not been given out."""
    end: int
    """First byte behind it."""


@dataclass(frozen=True)
class Bump:
    """A bump allocator: ranges of memory, in its own order."""

    name: str
    ranges: tuple[BumpRange, ...]
    storage: tuple[range, ...]
    """Physical byte ranges of the table of ranges itself."""
    gone: bool = False
    """Handed over: the kernel says that it no longer exists; ``ranges`` is empty."""
    chosen: bool = True
    """Whether this boot has it in use at all; if not, ``ranges`` is empty."""


@dataclass(frozen=True)
class FrameTable:
    """``mem_map``: what the kernel notes about each frame."""

    first_frame: int
    free: npt.NDArray[np.bool_]
    """First frame of a free block."""
    order: npt.NDArray[np.uint8]
    reserved: npt.NDArray[np.bool_]
    users: npt.NDArray[np.uint32]
    zone: npt.NDArray[np.uint8]
    owners: dict[str, npt.NDArray[np.bool_]]
    storage: tuple[range, ...]
    element_size: int = 0
    """Bytes of one structure."""
    members: dict[str, int] = field(default_factory=dict, compare=False)
    """Offset of what each expression looks at, by the description's key or the owner's name."""

    def __len__(self) -> int:
        return len(self.free)


@dataclass(frozen=True)
class Held:
    """The frames that callers of the frame interface hold, where a bitmap tells that."""

    taken: npt.NDArray[np.bool_]
    """One element a frame, from frame 0."""


@dataclass(frozen=True)
class FreeList:
    """The free blocks of one order in one zone, in list order."""

    zone: int
    order: int
    frames: npt.NDArray[np.int64]
    """First frame of each block."""
    count: int | None = None
    """The kernel's own count of blocks."""
    count_at: int | None = field(default=None, compare=False)
    """Virtual address of that count."""


@dataclass(frozen=True)
class FreeLists:
    """A frame allocator's free lists."""

    name: str
    lists: tuple[FreeList, ...]
    free_frames: dict[int, int] = field(default_factory=dict)
    """The kernel's own count of free frames, by zone."""
    managed_frames: dict[int, int] = field(default_factory=dict)
    merged: bool = True
    faults: tuple[DecodeFault, ...] = ()
    places: dict[tuple[str, int], int] = field(default_factory=dict, compare=False)
    """Virtual addresses of the counters, by the description's key and the zone."""


@dataclass(frozen=True)
class PairZone:
    """What one zone's pair bitmap says; see :class:`PairMap`."""

    base: int
    """Physical address from which blocks are counted, in bytes."""
    size: int
    """Bytes from there that are covered."""
    max_order: int
    pairs: tuple[npt.NDArray[np.bool_], ...]
    """For each order below ``max_order`` a bit for each pair of buddies, from ``base`` up."""


@dataclass(frozen=True)
class PairMap:
    """For each pair of buddies whether exactly one of the two is a free block."""

    name: str
    """Of the free lists that it goes with."""
    zones: tuple[PairZone, ...]
    managed: npt.NDArray[np.bool_] | None = None
    """One element a frame, from frame 0: whether it was ever handed over. None: it is not noted."""
    faults: tuple[DecodeFault, ...] = ()


@dataclass(frozen=True)
class Metadata:
    """Memory that holds the memory manager's own records."""

    name: str
    storage: tuple[range, ...]
    """Physical byte ranges."""
    owner: str | None
    """The frame table's name for it; None when it was reserved before there was a frame table."""
