"""What a kernel believes of its heaps."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from harness.decode.belief.fault import DecodeFault
from harness.decode.belief.paging import FRAME_SIZE


@dataclass(frozen=True)
class Magic:
    """A number in a header that is not the one that marks it."""

    address: int
    """Virtual."""
    found: int
    wanted: int


@dataclass(frozen=True)
class HeapBlock:
    """A block of a heap with a header; addresses virtual."""

    header: int
    size: int
    """As the header says, in bytes."""
    magic_good: bool
    magic: Magic | None = None
    """What is wrong with the magic, where the description compares two numbers."""


@dataclass(frozen=True)
class HeapArea:
    """A stretch of kernel virtual addresses, free or used."""

    start: int
    pages: int
    used: bool
    block: HeapBlock | None
    """The block of a used area; None when its header is not mapped."""


@dataclass(frozen=True)
class Heap:
    """A heap and the virtual areas that it is cut from, in list order."""

    name: str
    start: int
    end: int
    areas: tuple[HeapArea, ...]
    header_size: int
    owner: str
    record_size: int = 0
    """Bytes of an area's record."""
    blocks: int | None = None
    bytes: int | None = None
    frames: int | None = None
    faults: tuple[DecodeFault, ...] = ()


SUBBLOCK_BLOCK = np.dtype(
    [("start", "<i8"), ("chunks", "<i8"), ("free", "<i8"), ("longest", "<i8")]
)
"""Contiguous pages of a heap of sub-blocks, with their map at the start: virtual address, number
of pages of 4 KiB, and what the kernel itself notes, which is the number of free sub-blocks and a
bound of their longest run, -1 where it notes none."""


class SubblockValue(enum.IntEnum):
    """What a byte of a map of sub-blocks says; from ``COLOUR`` up, that it is allocated."""

    FREE = 0
    METADATA = 1
    COLOUR = 2


@dataclass(frozen=True)
class SubblockHeap:
    """A heap of sub-blocks."""

    name: str
    subblock: int
    """Bytes of a sub-block."""
    map_offset: int
    """Bytes from a block's start to its map."""
    blocks: npt.NDArray[np.void]
    """SUBBLOCK_BLOCK, in list order."""
    map: npt.NDArray[np.uint8]
    """The maps of all blocks, one behind the other; one element a sub-block:
    :class:`SubblockValue`, or the colour of an allocation."""
    owner: str | None = None
    """The frame table's name for its frames; None when they are somebody else's."""
    spare: int | None = None
    """Virtual address of the block that the kernel keeps empty, 0 for none; None: not told."""
    live: int | None = None
    """The kernel's own counts: allocations, their sub-blocks, and the blocks' chunks."""
    used: int | None = None
    held: int | None = None
    faults: tuple[DecodeFault, ...] = ()

    @cached_property
    def borders(self) -> npt.NDArray[np.int64]:
        """Where in ``map`` that of each block begins, and where the last one ends."""
        counts = self.blocks["chunks"] * (FRAME_SIZE // self.subblock)
        return np.concatenate(([0], np.cumsum(counts))).astype(np.int64)


@dataclass(frozen=True)
class LargeBlock:
    """A block in pages of its own; addresses virtual."""

    header: int
    frames: npt.NDArray[np.int64]
    """Behind each of its pages; -1 where none is."""
    size: int
    """As the header says, in bytes."""
    pages: int
    header_good: bool


@dataclass(frozen=True)
class LargeBlocks:
    """Blocks that have whole pages to themselves, in list order."""

    name: str
    blocks: tuple[LargeBlock, ...]
    header_size: int
    owner: str
    count: int | None = None
    bytes: int | None = None
    frames: int | None = None
    faults: tuple[DecodeFault, ...] = ()


class ByteKind(enum.IntEnum):
    """What a byte of a heap's page is."""

    HEADER = 0
    """The heap's own."""
    LIVE = 1
    FREE = 2
    PADDING = 3
    """Nobody's: what rounding up leaves over."""


EXTENT = np.dtype([("start", "<u8"), ("end", "<u8"), ("kind", "u1")])
"""Virtual bytes [start, end) of one :class:`ByteKind`."""


@dataclass(frozen=True)
class HeapBytes:
    """What each byte of a heap is."""

    name: str
    pages: npt.NDArray[np.uint64]
    """Virtual address of each page of the heap, ascending."""
    extents: npt.NDArray[np.void]
    """dtype :data:`EXTENT`, ascending."""


CHAIN_BLOCK = np.dtype(
    [
        ("header", "<i8"),  # virtual address
        ("size", "<i8"),  # bytes behind the header, as it says
        ("used", "?"),
        ("good", "?"),  # the header's magic
        ("previous", "<i8"),  # virtual address of the header before it; -1 when it does not say
    ]
)


@dataclass(frozen=True)
class HeaderChain:
    """A heap of blocks one behind the other, each with a header in front of its bytes."""

    name: str
    header_size: int
    """Bytes."""
    blocks: npt.NDArray[np.void]
    """dtype :data:`CHAIN_BLOCK`, in the chain's order."""
    end: int | None = None
    """Virtual address at which the last block must end; 0 means 2^32."""
    merged: bool = False
    owner: str | None = None
    """The frame table's name for its frames; None when they are somebody else's."""
    live: int | None = None
    """The kernel's own counts: used blocks, and their bytes."""
    bytes: int | None = None
    faults: tuple[DecodeFault, ...] = ()
