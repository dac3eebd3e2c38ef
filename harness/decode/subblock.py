"""Heaps of sub-blocks: a list of blocks, each with a map of its pieces at its start.

A full heap has a block for each page of memory, so their records are copied all at once.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from harness.decode.address_space import NotReadable
from harness.decode.belief.heaps import SUBBLOCK_BLOCK, SubblockHeap
from harness.decode.belief.paging import FRAME_SIZE
from harness.decode.context import Context, Undecodable
from harness.decode.gather import gather
from harness.decode.links import Break, Chain, ListShape, PointerReader, faults_of, follow
from harness.decode.ram_map import RamMap
from harness.image.c_type import CType
from harness.image.schema.heaps import SubblockHeap as Description

MAX_CHUNKS = (1 << 32) // FRAME_SIZE
"""Pages of all blocks together: a 32-bit address space has no more."""
MAX_BLOCKS = 1 << 18
"""Of a page each they would fill 1 GiB, the kernel's part of most 32-bit address spaces."""

I64 = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]
Records = npt.NDArray[np.void]


def decode_subblock_heap(context: Context, description: Description) -> SubblockHeap:
    """Follow the list of blocks and copy each one's map; raise :class:`Undecodable`."""
    block = context.evaluate.locate(description.blocks).type.stripped.target.stripped
    decoder = _Decoder(context, description, block)
    blocks, values = decoder.decode()
    return SubblockHeap(
        name=description.name,
        subblock=description.subblock,
        map_offset=decoder.map_offset,
        blocks=blocks,
        map=values,
        owner=description.owner,
        spare=context.counter(description.spare),
        live=context.counter(description.live),
        used=context.counter(description.used),
        held=context.counter(description.held),
        faults=faults_of(description.name, decoder.breaks),
    )


class _Decoder:
    """The blocks of one heap."""

    def __init__(self, context: Context, description: Description, block: CType) -> None:
        """Raise :class:`Undecodable` when the C type ``block`` is no block's."""
        if not 0 < block.size <= FRAME_SIZE:
            raise Undecodable(f"a block's header of {block.size} bytes does not fit into a page")
        self._context, self._description, self._type = context, description, block
        self.map_offset = block.member(description.map).offset
        self._per_chunk = FRAME_SIZE // description.subblock
        self.breaks: list[Break] = []

    def decode(self) -> tuple[Records, Bytes]:
        """Return the blocks in list order, and their maps one behind the other."""
        chain = self._links()
        self.breaks += chain.breaks
        addresses = np.array(chain.nodes, dtype=np.int64)
        self._lose(addresses, addresses % FRAME_SIZE != 0, "does not begin where a page does")
        blocks, physical = self._headers(addresses[addresses % FRAME_SIZE == 0])
        return self._maps(*self._believed(blocks, physical))

    def _links(self) -> Chain:
        first = self._context.evaluate.integer(self._description.blocks)
        shape = ListShape("null", self._type.member(self._description.next).offset, None)
        links = PointerReader(self._context.space)
        return follow(shape, 0, first, links, links, MAX_BLOCKS)

    def _lose(self, addresses: I64, wrong: npt.NDArray[np.bool_], what: str) -> None:
        self.breaks += [Break(f"the block {what}", (at,)) for at in addresses[wrong].tolist()]

    def _headers(self, addresses: I64) -> tuple[Records, I64]:
        """Return the blocks whose first page can be read, and its physical address."""
        ram = self._context.ram
        physical = self._context.space.translate_all(addresses.astype(np.uint64))
        there = RamMap(ram).holds(np.maximum(physical, 0).astype(np.uint64), FRAME_SIZE)
        there &= physical >= 0
        self._lose(addresses, ~there, "cannot be read")
        headers = gather(ram, physical[there], self._type.size)
        rows: Records = headers.view(self._context.kernel.types.dtype(self._type)).reshape(-1)
        blocks = np.empty(len(rows), dtype=SUBBLOCK_BLOCK)
        blocks["start"] = addresses[there]
        blocks["chunks"] = self._column(self._description.chunks, rows, 1)
        blocks["free"] = self._column(self._description.free, rows, 0)
        blocks["longest"] = self._column(self._description.longest, rows, -1)
        return blocks, physical[there]

    def _column(
        self, expression: str | None, rows: Records, default: int
    ) -> npt.NDArray[np.integer] | int:
        if expression is None:
            return default
        return self._context.evaluate.column(expression, rows, self._type)

    def _believed(self, blocks: Records, physical: I64) -> tuple[Records, I64]:
        """Return the blocks up to the first one of more chunks than memory can hold."""
        chunks = blocks["chunks"]
        some = np.where((chunks > 0) & (chunks <= MAX_CHUNKS), chunks, MAX_CHUNKS + 1)
        good = int(np.searchsorted(np.cumsum(some), MAX_CHUNKS, side="right"))
        for block in blocks[good : good + 1]:
            message = f"the block has {block['chunks']} chunks, which cannot be"
            self.breaks.append(Break(message, (int(block["start"]),)))
        return blocks[:good], physical[:good]

    def _maps(self, blocks: Records, physical: I64) -> tuple[Records, Bytes]:
        """Return the blocks whose maps can be read, and these."""
        firsts = np.cumsum(blocks["chunks"]) - blocks["chunks"]
        values = np.zeros((int(blocks["chunks"].sum()), self._per_chunk), dtype=np.uint8)
        there = np.ones(len(blocks), dtype=np.bool_)
        for chunks in np.unique(blocks["chunks"]).tolist():
            where = np.flatnonzero(blocks["chunks"] == chunks)
            length = self.map_offset + chunks * self._per_chunk
            if length > FRAME_SIZE:
                self._read_long(blocks, where, firsts, values, there)
                continue
            rows = gather(self._context.ram, physical[where], length)[:, self.map_offset :]
            places = firsts[where][:, None] + np.arange(chunks)
            values[places] = rows.reshape(len(where), chunks, self._per_chunk)
        kept = values if there.all() else values[np.repeat(there, blocks["chunks"])]
        return blocks[there], kept.reshape(-1)

    def _read_long(
        self,
        blocks: Records,
        where: I64,
        firsts: I64,
        values: Bytes,
        there: npt.NDArray[np.bool_],
    ) -> None:
        """Copy maps that go on behind their first page: of blocks of 32 pages and more."""
        for index in where.tolist():
            start, chunks = int(blocks["start"][index]), int(blocks["chunks"][index])
            place = start + self.map_offset
            try:
                found = self._context.space.array(place, np.uint8, chunks * self._per_chunk)
            except NotReadable as error:
                there[index] = False
                message = f"the block's map cannot be read: {error}"
                self.breaks.append(Break(message, (start, error.address)))
                continue
            values[firsts[index] : firsts[index] + chunks] = found.reshape(chunks, -1)
