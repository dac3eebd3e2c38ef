"""First fit over a list of blocks made of sub-blocks, as both heaps of document 004 do it.

The newest block is the first that is looked at; in a block the lowest run of free sub-blocks that
is long enough is taken. Of the blocks with nothing in them one of a single chunk is kept where it
is on the list; the others leave it.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from harness.decode.belief.heaps import SubblockHeap, SubblockValue
from harness.decode.belief.paging import FRAME_SIZE
from harness.decode.state import MemoryState

_FREE, _TAKEN = b"\0", b"\1"


@dataclass(eq=False)
class Block:
    """A block: which of its sub-blocks are free, not how a kernel notes that."""

    start: int
    """Virtual address."""
    chunks: int
    metadata: int
    """Sub-blocks at the start that are never given out."""
    taken: bytearray
    """One byte a sub-block, 0 or 1."""
    number: int = 0
    """Blocks are numbered as they come."""

    @property
    def room(self) -> int:
        """Sub-blocks of an empty block."""
        return len(self.taken) - self.metadata

    def find(self, wanted: int) -> int:
        """Return the first of the lowest free run that is long enough, -1 without one."""
        return self.taken.find(_FREE * wanted, self.metadata)

    def set(self, first: int, count: int, to: bytes) -> None:
        """Set sub-blocks taken or free."""
        self.taken[first : first + count] = to * count


@dataclass
class SubblockList:
    """The blocks of a heap and the allocations in them."""

    subblock: int
    """Bytes of a sub-block."""
    blocks: list[Block] = field(default_factory=list)
    """Oldest first: the last one is the first of the kernel's list."""
    live: dict[int, tuple[Block, int]] = field(default_factory=dict)
    """Virtual address → block and number of sub-blocks of an allocation."""
    spare: Block | None = None
    bounds: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    """For each block a length that its longest free run does not exceed."""
    free: dict[int, int] = field(default_factory=dict)
    """Number of a block → its free sub-blocks."""
    numbers: int = 0

    @classmethod
    def of(cls, heap: SubblockHeap) -> SubblockList:
        """Take the blocks of a decoded heap over."""
        made = cls(heap.subblock)
        values, borders = heap.map.tobytes(), heap.borders.tolist()
        for index in reversed(range(len(heap.blocks))):
            block = heap.blocks[index]
            own = values[borders[index] : borders[index + 1]]
            made._take_over(int(block["start"]), int(block["chunks"]), own)
        return made

    def subblocks(self, size: int) -> int:
        """Return how many sub-blocks so many bytes take."""
        return -(-size // self.subblock)

    def add(self, start: int, chunks: int, metadata: int) -> None:
        """Put an empty block at the front of the list."""
        count = chunks * FRAME_SIZE // self.subblock
        block = Block(start, chunks, metadata, bytearray(count), self.numbers)
        self.numbers += 1
        self.blocks.append(block)
        self.bounds = np.append(self.bounds, block.room)
        self.free[block.number] = block.room

    def alloc(self, wanted: int) -> int:
        """Return the virtual address of ``wanted`` sub-blocks, 0 when no block has them."""
        for index in np.flatnonzero(self.bounds >= wanted)[::-1].tolist():
            block = self.blocks[index]
            first = block.find(wanted)
            if first >= 0:
                return self._give_out(block, index, first, wanted)
            self.bounds[index] = wanted - 1
        return 0

    def release(self, address: int) -> Block | None:
        """Free an allocation; return its block if that leaves the list."""
        block, count = self.live.pop(address)
        block.set((address - block.start) // self.subblock, count, _FREE)
        self.free[block.number] += count
        self.bounds[self._index(block)] = self.free[block.number]
        if self.free[block.number] < block.room:
            return None
        if block.chunks == 1 and self.spare is None:
            self.spare = block
            return None
        return self.remove(block)

    def remove(self, block: Block) -> Block:
        """Take a block off the list."""
        index = self._index(block)
        del self.blocks[index], self.free[block.number]
        self.bounds = np.delete(self.bounds, index)
        if block is self.spare:
            self.spare = None
        return block

    def _give_out(self, block: Block, index: int, first: int, wanted: int) -> int:
        block.set(first, wanted, _TAKEN)
        self.free[block.number] -= wanted
        self.bounds[index] = min(int(self.bounds[index]), self.free[block.number])
        if block is self.spare:
            self.spare = None
        address = block.start + first * self.subblock
        self.live[address] = block, wanted
        return address

    def _index(self, block: Block) -> int:
        return bisect_left(self.blocks, block.number, key=lambda one: one.number)

    def _take_over(self, start: int, chunks: int, values: bytes) -> None:
        """Take one block over, as its map says what is allocated."""
        metadata = len(values) - len(values.lstrip(bytes([SubblockValue.METADATA])))
        self.add(start, chunks, metadata)
        block, index = self.blocks[-1], len(self.blocks) - 1
        first = metadata
        while first < len(values):
            rest = values[first:]
            count = len(rest) - len(rest.lstrip(rest[:1]))
            if rest[0] != SubblockValue.FREE:
                self._give_out(block, index, first, count)
            first += count
        if self.free[block.number] == block.room:
            self.spare = block


def subblock_heap(state: MemoryState, name: str) -> SubblockHeap:
    """Return the heap that a state calls ``name``; raise ``ValueError`` without one."""
    for heap in state.subblock_heaps:
        if heap.name == name:
            return heap
    raise ValueError(f"the state has no heap of sub-blocks called {name}")
