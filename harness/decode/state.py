"""What a memory manager believes, decoded out of guest RAM: plain values, no kernel's names.

Frame numbers are physical addresses divided by 4096. Arrays are numpy, owned (not views of
guest memory), one element a frame unless said otherwise. The parts stand in
:mod:`harness.decode.belief`.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.decode.belief.fault import DecodeFault
from harness.decode.belief.frames import (
    Bitmap,
    Bump,
    FrameTable,
    FreeLists,
    Held,
    MapRegion,
    Metadata,
    PairMap,
)
from harness.decode.belief.heaps import HeaderChain, Heap, HeapBytes, LargeBlocks, SubblockHeap
from harness.decode.belief.paging import ControlRegisters, PageTables
from harness.decode.belief.slabs import Caches
from harness.decode.belief.spaces import AddressSpaces


@dataclass(frozen=True)
class MemoryState:
    """Everything decoded at one moment of one boot."""

    moment: str
    registers: ControlRegisters
    page_tables: PageTables
    zones: tuple[int, ...] = ()
    """First frame behind each zone of physical memory, ascending, as described."""
    firmware_map: tuple[MapRegion, ...] | None = None
    """The kernel's own table of physical memory in its order; None when it describes none."""
    bitmaps: tuple[Bitmap, ...] = ()
    bumps: tuple[Bump, ...] = ()
    frame_table: FrameTable | None = None
    free_lists: tuple[FreeLists, ...] = ()
    pair_maps: tuple[PairMap, ...] = ()
    held: Held | None = None
    """None where the frame table tells, or nothing does."""
    heaps: tuple[Heap, ...] = ()
    caches: tuple[Caches, ...] = ()
    large_blocks: tuple[LargeBlocks, ...] = ()
    heap_bytes: tuple[HeapBytes, ...] = ()
    subblock_heaps: tuple[SubblockHeap, ...] = ()
    header_chains: tuple[HeaderChain, ...] = ()
    metadata: tuple[Metadata, ...] = ()
    address_spaces: AddressSpaces | None = None
    faults: tuple[DecodeFault, ...] = ()
    """Faults of structures that could not be decoded at all; each structure has its own too."""
