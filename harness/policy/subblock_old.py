"""What the old heap of sub-blocks must return: document 004, blocks of one chunk each.

As in ``subblock.py``, but a block is one frame: the next block's address, two counts of free
sub-blocks and 128 bytes of map take the first 140 bytes, and what does not fit behind them is not
given at all.
"""

from __future__ import annotations

from harness.decode.belief.paging import FRAME_SIZE
from harness.decode.state import MemoryState
from harness.policy.chunks import ChunkSource, FrameChunks
from harness.policy.protocols import FramePolicy
from harness.policy.subblock_list import SubblockList, subblock_heap

HEADER = 12
"""Bytes: the next block, the free sub-blocks, their longest run."""


class SubblockOldPolicy:
    """The heap of one decoded state, from then on."""

    def __init__(self, blocks: SubblockList, source: ChunkSource) -> None:
        """Take the blocks that there are, and where new ones come from."""
        self.blocks = blocks
        self._source = source
        count = FRAME_SIZE // blocks.subblock
        self._metadata = blocks.subblocks(HEADER + count)
        self._most = count - self._metadata

    @classmethod
    def of(cls, state: MemoryState, frames: FramePolicy) -> SubblockOldPolicy:
        """Start from the heap in charge, over the direct map."""
        blocks = SubblockList.of(subblock_heap(state, "subblock-old"))
        return cls(blocks, FrameChunks(state, frames))

    def alloc(self, size: int) -> int:
        """Return the virtual address of ``size`` bytes, or 0."""
        wanted = self.blocks.subblocks(size)
        if not 0 < wanted <= self._most:
            return 0
        return self.blocks.alloc(wanted) or self._alloc_anew(wanted)

    def free(self, address: int) -> None:
        """Take back what :meth:`alloc` gave."""
        gone = self.blocks.release(address)
        if gone is not None:
            self._source.give(gone.start, gone.chunks)

    def _alloc_anew(self, wanted: int) -> int:
        start, chunks = self._source.take(1)
        if not start:
            return 0
        self.blocks.add(start, chunks, self._metadata)
        return self.blocks.alloc(wanted)
