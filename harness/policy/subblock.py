"""What the heap of sub-blocks over blocks of any number of chunks must return: document 004.

An allocation takes whole sub-blocks of 32 bytes, in the newest block that has a run of them. When
none has, a new block comes: of the fewest chunks that hold the allocation besides the block's own
records, which are a header of 16 bytes and one byte for each sub-block. When there are no chunks,
the empty block that is kept goes back first, and is asked for again with the others.
"""

from __future__ import annotations

from harness.decode.belief.paging import FRAME_SIZE
from harness.decode.state import MemoryState
from harness.policy.chunks import ChunkSource, FrameChunks, UserChunks
from harness.policy.protocols import FramePolicy
from harness.policy.subblock_list import SubblockList, subblock_heap
from harness.policy.user import UserPolicy

HEADER = 16
"""Bytes: the number of chunks, the next block, the free sub-blocks, their longest run."""

MOST_CHUNKS = ((1 << 32) - 1) // FRAME_SIZE
"""What 32 bits of address can hold; more is not even asked for."""


class SubblockPolicy:
    """The heap of one decoded state, from then on."""

    def __init__(self, blocks: SubblockList, source: ChunkSource) -> None:
        """Take the blocks that there are, and where new ones come from."""
        self.blocks = blocks
        self._source = source
        self._per_chunk = FRAME_SIZE // blocks.subblock

    @classmethod
    def of(cls, state: MemoryState, frames: FramePolicy) -> SubblockPolicy:
        """Start from the heap in charge, over the direct map."""
        return cls(SubblockList.of(subblock_heap(state, "subblock")), FrameChunks(state, frames))

    @classmethod
    def of_user(cls, blocks: SubblockList, regions: UserPolicy) -> SubblockPolicy:
        """Start from the blocks of the heap in user space, over regions of the current space.

        How many frames there are is not part of this: memory is taken to suffice.
        """
        return cls(blocks, UserChunks(regions))

    def alloc(self, size: int) -> int:
        """Return the virtual address of ``size`` bytes, or 0."""
        if not size:
            return 0
        wanted = self.blocks.subblocks(size)
        return self.blocks.alloc(wanted) or self._alloc_anew(wanted)

    def free(self, address: int) -> None:
        """Take back what :meth:`alloc` gave."""
        gone = self.blocks.release(address)
        if gone is not None:
            self._source.give(gone.start, gone.chunks)

    def _alloc_anew(self, wanted: int) -> int:
        start, chunks = self._take(self._chunks(wanted))
        if not start:
            return 0
        self.blocks.add(start, chunks, self._metadata(chunks))
        return self.blocks.alloc(wanted)

    def _take(self, chunks: int) -> tuple[int, int]:
        if chunks > MOST_CHUNKS:
            return 0, 0
        start, given = self._source.take(chunks)
        if start or self.blocks.spare is None:
            return start, given
        spare = self.blocks.remove(self.blocks.spare)
        self._source.give(spare.start, spare.chunks)
        return self._source.take(chunks)

    def _metadata(self, chunks: int) -> int:
        return self.blocks.subblocks(HEADER + chunks * self._per_chunk)

    def _chunks(self, wanted: int) -> int:
        """Return the fewest chunks with room for ``wanted`` sub-blocks."""
        chunks = wanted // self._per_chunk
        while chunks * self._per_chunk - self._metadata(chunks) < wanted:
            missing = wanted + self._metadata(chunks) - chunks * self._per_chunk
            chunks += max(1, missing // self._per_chunk)
        return chunks
