"""What a kernel believes of its address spaces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.decode.belief.fault import DecodeFault
from harness.decode.belief.paging import FRAME_SIZE, PageTables


@dataclass(frozen=True)
class MapPart:
    """A stretch of every address space that may be mapped, by the kernel's own map; virtual."""

    name: str
    start: int
    end: int
    """First byte behind it."""
    user: bool
    """Each address space has pages of its own here, open to user programs."""
    writable: bool


@dataclass(frozen=True)
class UserRegion:
    """A stretch of an address space whose pages appear when they are touched."""

    start: int
    """Virtual."""
    pages: int
    frames: int | None = None
    """The kernel's own count of pages that have a frame of their own."""

    @property
    def addresses(self) -> range:
        """The virtual addresses of its bytes."""
        return range(self.start, self.start + self.pages * FRAME_SIZE)


@dataclass(frozen=True)
class Space:
    """One address space."""

    number: int
    record: int
    """Virtual address of what the kernel notes of it."""
    directory: int
    """Physical address of its top table."""
    current: bool
    entries: npt.NDArray[np.uint64]
    """The raw entries of its top table; none when that is not in RAM."""
    user: PageTables
    """What it maps in the parts of the map that are the users'."""
    regions: tuple[UserRegion, ...]


@dataclass(frozen=True)
class AddressSpaces:
    """All address spaces, in list order."""

    spaces: tuple[Space, ...]
    map: tuple[MapPart, ...]
    zero_page: int | None
    """Physical address of the page that untouched pages show when they are read."""
    owner: str
    faults: tuple[DecodeFault, ...] = ()
