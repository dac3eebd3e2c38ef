"""Maps of sub-blocks, correct and then wrong in one number."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from harness.check.subblocks import check_subblock_heaps
from harness.decode.belief.heaps import SUBBLOCK_BLOCK, ByteKind, SubblockHeap
from harness.decode.subblock_map import bytes_of_subblocks
from tests.check import example

PAGE = 4096
SUBBLOCK = 32
FIRST, SECOND = 0xC0180000, 0xC0190000


Block = tuple[int, int, npt.NDArray[np.uint8]]
"""Virtual address, chunks and map."""


def block(start: int, *runs: tuple[int, int], chunks: int = 1) -> Block:
    """Return a block of these runs behind its records: value and length; the rest is free."""
    values = np.zeros(chunks * 128, dtype=np.uint8)
    values[: 4 * chunks + 1] = 1
    position = 4 * chunks + 1
    for value, length in runs:
        values[position : position + length] = value
        position += length
    return start, chunks, values


def heap_of(*blocks: Block) -> SubblockHeap:
    """Return a heap whose counters and list say what the maps do."""
    rows = np.empty(len(blocks), dtype=SUBBLOCK_BLOCK)
    for row, (start, chunks, values) in zip(rows, blocks, strict=True):
        row["start"], row["chunks"] = start, chunks
        row["free"], row["longest"] = np.count_nonzero(values == 0), -1
    maps = [values for _, _, values in blocks] or [np.empty(0, dtype=np.uint8)]
    return SubblockHeap("blocks", SUBBLOCK, 12, rows, np.concatenate(maps))


BLOCKS = (
    block(SECOND, (2, 3), (3, 1), (0, 2), (2, 200), chunks=2),
    block(FIRST, (2, 1), (3, 122)),
    block(FIRST + PAGE),
)


def heap(*more: Block, **fields: int | None) -> SubblockHeap:
    """Return two blocks with five allocations and one empty block of 1 chunk, and more."""
    counters = {"spare": FIRST + PAGE, "live": 5, "used": 327, "held": 4}
    return replace(heap_of(*BLOCKS, *more), **(counters | fields))


def changed(index: int, sub_block: int, value: int) -> SubblockHeap:
    """Return the same with one byte of one map changed."""
    values = heap().map.copy()
    values[heap().borders[index] + sub_block] = value
    return replace(heap(), map=values)


def with_block(index: int, **fields: int) -> SubblockHeap:
    """Return the same with a block's members changed."""
    blocks = heap().blocks.copy()
    for name, value in fields.items():
        blocks[name][index] = value
    return replace(heap(), blocks=blocks)


def reports(heap: SubblockHeap) -> list[tuple[str, str]]:
    state = replace(example.state(), subblock_heaps=(heap,))
    return [(one.kind, one.message) for one in check_subblock_heaps(state)]


def kinds(heap: SubblockHeap) -> list[str]:
    return [kind for kind, _ in reports(heap)]


def test_correct_maps_are_silent() -> None:
    assert reports(heap()) == []


def test_a_record_that_is_marked_free() -> None:
    found = dict(reports(changed(1, 4, 0)))
    assert set(found) == {"subblock.metadata", "subblock.free"}
    assert "sub-block 4 (virtual 0xc0180080)" in found["subblock.metadata"]
    assert "holds the block's records, but is not" in found["subblock.metadata"]


def test_metadata_in_the_middle_of_a_block() -> None:
    found = dict(reports(changed(0, 100, 1)))
    assert "is no record, but marked as metadata" in found["subblock.metadata"]
    assert "two" not in found


@pytest.mark.parametrize("colour", [5, 77, 255])
def test_a_colour_that_no_allocation_needs(colour: int) -> None:
    found = reports(changed(0, 9, colour))
    assert found[0][0] == "subblock.colour"
    assert f"has the colour {colour}, but no allocation needs one above 4" in found[0][1]


def test_two_neighbours_that_share_a_colour() -> None:
    """What one free would take for one allocation."""
    found = reports(changed(0, 12, 2))
    assert [kind for kind, _ in found] == ["subblock.live"]
    assert found[0][1] == (
        "blocks counts 5 allocations, but its maps tell 4 apart: neighbours may share a colour"
    )


def test_an_allocation_cut_in_two() -> None:
    assert kinds(changed(0, 10, 4)) == ["subblock.live"]


def test_a_free_sub_block_that_nobody_counted() -> None:
    assert kinds(changed(0, 9, 0)) == ["subblock.free", "subblock.counter"]


def test_a_count_that_was_never_lowered() -> None:
    [(kind, message)] = reports(with_block(1, free=123))
    assert kind == "subblock.free"
    assert "counts 123 free sub-blocks, but its map says 0" in message


@pytest.mark.parametrize(("longest", "wrong"), [(43, True), (44, False), (247, False), (248, True)])
def test_a_bound_of_the_longest_free_run(longest: int, wrong: bool) -> None:
    """The last 44 sub-blocks are free, of 247 that may be."""
    one = heap_of(block(SECOND, (2, 203), (0, 44), chunks=2))
    one.blocks["longest"] = longest
    assert ("subblock.longest" in kinds(one)) == wrong


def test_blocks_that_lie_in_each_other() -> None:
    assert kinds(with_block(1, start=SECOND + PAGE)) == ["subblock.overlap"]


@pytest.mark.parametrize("spare", [0, FIRST + PAGE])
def test_an_empty_block_that_should_have_gone(spare: int) -> None:
    more = heap(block(FIRST + 3 * PAGE), spare=spare, held=5)
    assert set(kinds(more)) == {"subblock.empty"}
    assert len(kinds(more)) == (2 if spare == 0 else 1)


def test_an_empty_block_of_two_chunks_is_never_kept() -> None:
    large = block(FIRST + 2 * PAGE, chunks=2)
    assert kinds(heap(large, spare=large[0], held=6)) == ["subblock.empty"] * 2


@pytest.mark.parametrize("spare", [FIRST, 0xC0300000])
def test_a_kept_block_that_is_not_empty_or_not_there(spare: int) -> None:
    assert kinds(heap(spare=spare)) == ["subblock.empty", "subblock.spare"]


@pytest.mark.parametrize("name", ["used", "held"])
def test_a_counter_that_is_wrong(name: str) -> None:
    assert kinds(heap(**{name: 1})) == ["subblock.counter"]


def test_a_kernel_without_counters_is_not_asked_for_them() -> None:
    assert kinds(heap(spare=None, live=None, used=None, held=None)) == []


def test_what_each_byte_of_a_block_is() -> None:
    found = bytes_of_subblocks(heap_of(block(FIRST, (2, 1), (0, 1), (3, 2))))
    assert found.pages.tolist() == [FIRST]
    assert [(start - FIRST, end - FIRST, kind) for start, end, kind in found.extents.tolist()] == [
        (0, 140, ByteKind.HEADER),
        (140, 160, ByteKind.PADDING),
        (160, 192, ByteKind.LIVE),
        (192, 224, ByteKind.FREE),
        (224, 288, ByteKind.LIVE),
        (288, PAGE, ByteKind.FREE),
    ]


def test_a_heap_without_blocks_has_no_bytes() -> None:
    found = bytes_of_subblocks(heap_of())
    assert len(found.pages) == len(found.extents) == 0
