"""Heaps of sub-blocks with blocks of all sizes, and with blocks that cannot be."""

from __future__ import annotations

import numpy as np
import pytest

from harness.decode.belief.heaps import SubblockHeap
from harness.decode.decode import decode
from tests.decode.conftest import Loader
from tests.decode.memory import UNPAGED, Loaded

PAGE, SUBBLOCK = 4096, 64
PAGES = 128

SOURCE = """
struct block { unsigned char pages; unsigned short room; struct block *next; unsigned char map[]; };
struct block *blocks;
__attribute__((aligned(4096))) char memory[128 * 4096];
"""
TOML = """
[[subblock_heaps]]
name = "pieces"
blocks = "blocks"
next = "next"
free = "room + 1"
map = "map"
chunks = "pages"
subblock = 64
"""
MAP = 8
"""Offset of ``map``: behind a byte, two bytes and a pointer, each aligned to its size."""


@pytest.fixture
def program(loader: Loader) -> Loaded:
    return loader(SOURCE, TOML)


class Blocks:
    """Blocks that are put into memory one behind the other on the list."""

    def __init__(self, program: Loaded) -> None:
        self.program = program
        self.link = program.address("blocks")
        self.memory = program.address("memory")
        self.random = np.random.default_rng(1)

    def add(self, page: int, pages: int, offset: int = 0) -> tuple[int, bytes]:
        """Return the address of a new last block, and its map of random bytes."""
        start = self.memory + page * PAGE + offset
        values = self.random.bytes(min(pages, PAGES - page) * PAGE // SUBBLOCK)
        header = bytes([pages, 0]) + (page + 7).to_bytes(2, "little") + bytes(4)
        self.program.ram.write(start, header + values)
        self.program.ram.set_word(self.link, start)
        self.link = start + 4
        return start, values

    def decode(self) -> SubblockHeap:
        [heap] = decode(self.program.ram, UNPAGED, self.program.kernel).subblock_heaps
        return heap


def test_blocks_of_all_sizes_in_any_order(program: Loaded) -> None:
    """Maps of up to 63 chunks end in their block's first page; that of 64 does not."""
    blocks = Blocks(program)
    places = [(9, 1), (0, 3), (5, 1), (60, 64), (7, 2), (3, 1), (50, 2)]
    wanted = [blocks.add(page, pages) for page, pages in places]
    heap = blocks.decode()
    assert heap.faults == ()
    assert heap.blocks["start"].tolist() == [start for start, _ in wanted]
    assert heap.blocks["chunks"].tolist() == [pages for _, pages in places]
    assert heap.blocks["free"].tolist() == [page + 8 for page, _ in places]
    assert heap.blocks["longest"].tolist() == [-1] * len(places)
    assert heap.map.tobytes() == b"".join(values for _, values in wanted)
    lengths = [len(values) for _, values in wanted]
    assert np.diff(heap.borders).tolist() == lengths
    assert heap.map_offset == MAP


def test_a_block_that_begins_in_a_page_is_left_out(program: Loaded) -> None:
    blocks = Blocks(program)
    before, inside, behind = blocks.add(1, 1), blocks.add(2, 1, offset=64), blocks.add(4, 1)
    heap = blocks.decode()
    assert heap.blocks["start"].tolist() == [before[0], behind[0]]
    assert heap.map.tobytes() == before[1] + behind[1]
    assert [(fault.chain, fault.message) for fault in heap.faults] == [
        ((inside[0],), "the block does not begin where a page does")
    ]


def test_a_map_that_reaches_out_of_memory(program: Loaded) -> None:
    """Of 255 chunks, the map has four pages."""
    blocks = Blocks(program)
    before, last, behind = blocks.add(3, 2), blocks.add(PAGES - 1, 255), blocks.add(8, 1)
    heap = blocks.decode()
    assert heap.blocks["start"].tolist() == [before[0], behind[0]]
    assert heap.map.tobytes() == before[1] + behind[1]
    [fault] = heap.faults
    assert fault.chain[0] == last[0]
    assert "map cannot be read" in fault.message


def test_nothing_behind_a_block_of_no_chunks_is_believed(program: Loaded) -> None:
    blocks = Blocks(program)
    before, none, _ = blocks.add(3, 2), blocks.add(5, 0), blocks.add(8, 1)
    heap = blocks.decode()
    assert heap.blocks["start"].tolist() == [before[0]]
    assert [(fault.chain, fault.message) for fault in heap.faults] == [
        ((none[0],), "the block has 0 chunks, which cannot be")
    ]
