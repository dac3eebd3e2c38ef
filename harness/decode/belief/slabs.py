"""What a kernel believes of its caches of objects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.decode.belief.fault import DecodeFault


@dataclass(frozen=True)
class Damage:
    """A byte in a debug cache that somebody wrote who may not."""

    kind: str
    """``red zone`` or ``poison``."""
    address: int
    """Virtual."""
    object: int
    """Virtual address of the object that it is about."""
    found: int
    wanted: int


@dataclass(frozen=True)
class Slab:
    """A page full of objects of one size."""

    page: int
    """Virtual address."""
    frame: int
    listed: str
    """The list that it is on: ``full``, ``partial`` or ``empty``."""
    cache: int
    """Virtual address of its cache's record, as the header says."""
    header_good: bool
    free: npt.NDArray[np.int64]
    """Indices of the free objects, in the order of their list."""
    live: npt.NDArray[np.bool_] | None = None
    """What the header notes about each object."""
    in_use: int | None = None
    damage: tuple[Damage, ...] = ()


@dataclass(frozen=True)
class Cache:
    """A cache of objects of one size; its slabs list by list, in the order of each list."""

    name: str
    address: int
    """Virtual address of its record."""
    size: int
    """Bytes of an object …"""
    pitch: int
    """… from one object to the next …"""
    first: int
    """… from the page's start to the first one …"""
    bufctl: int
    """… and from an object to its link."""
    capacity: int
    """Objects in a slab."""
    header: range
    """Offsets of the slab's header in its page."""
    slabs: tuple[Slab, ...]
    grows: bool = True
    """Whether it takes a frame by itself when no object is free."""
    live_count: int | None = None
    """The kernel's own count of live objects …"""
    slab_count: int | None = None
    """… and of slabs."""


@dataclass(frozen=True)
class Caches:
    """A slab allocator."""

    name: str
    caches: tuple[Cache, ...]
    owner: str
    faults: tuple[DecodeFault, ...] = ()
