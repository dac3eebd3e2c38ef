"""Blocks out of operations and results, and whether they overlap."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from harness.workload.blocks import BLOCK, Blocks, blocks_of, live, overlaps
from harness.workload.operation import RESULT, Kind, operation, operations

PAGE = 4096
FRAMES, FREE = Kind.FRAMES_ALLOC, Kind.FRAMES_FREE


def blocks(*rows: tuple[int, int, int, int]) -> Blocks:
    """Return blocks of a heap: start, end, born, died."""
    found = np.zeros(len(rows), dtype=BLOCK)
    for block, row in zip(found, rows, strict=True):
        block["start"], block["end"], block["born"], block["died"] = row
    found["kind"] = Kind.HEAP_ALLOC
    return found


def test_a_block_lives_from_its_allocation_to_its_free() -> None:
    tape = operations(
        [
            operation(FRAMES, 1, 2),
            operation(Kind.HEAP_ALLOC, 0, 10),
            operation(FREE, 1, 2),
            operation(FRAMES, 1, 1),
            operation(FRAMES, 2, 5000),
            operation(FREE, 2, 5000),
        ]
    )
    results = np.zeros(6, dtype=RESULT)
    results["value"] = [0x5000, 0xF8400008, 0, 0x9000, 0, 0]
    found = blocks_of(tape, results)
    names = ["slot", "start", "end", "born", "died"]
    assert found[names].tolist() == [
        (1, 0x5000, 0x7000, 0, 2),
        (0, 0xF8400008, 0xF8400012, 1, 6),
        (1, 0x9000, 0xA000, 3, 6),
    ]
    assert live(found, 6)["slot"].tolist() == [0, 1]


def test_nothing_overlaps_nothing() -> None:
    assert blocks_of(operations([]), np.zeros(0, dtype=RESULT)).tolist() == []
    assert overlaps(blocks(), 9) == []


def test_neighbours_do_not_overlap() -> None:
    assert overlaps(blocks((0, 5, 0, 9), (8, 16, 1, 9), (16, 17, 2, 9)), 9) == []


def test_one_byte_is_enough() -> None:
    assert overlaps(blocks((0, 9, 0, 9), (8, 16, 1, 9)), 9) == [(1, 0)]


def test_a_limit_is_kept() -> None:
    assert overlaps(blocks(*[(0, 8, born, 99) for born in range(9)]), 3) == [
        (1, 0),
        (2, 0),
        (3, 0),
    ]


def test_a_block_after_another_s_end_may_have_its_place() -> None:
    assert overlaps(blocks((8, 16, 0, 3), (8, 16, 4, 9)), 9) == []
    assert overlaps(blocks((8, 16, 0, 5), (8, 16, 4, 9)), 9) == [(1, 0)]


BLOCKS = st.lists(
    st.tuples(st.integers(0, 12), st.integers(1, 40), st.integers(1, 10)), max_size=12
)


@given(BLOCKS)
def test_overlaps_are_those_that_pairs_show(rows: list[tuple[int, int, int]]) -> None:
    """Compared pair by pair; each row is start / 8, length and lifetime."""
    made = [(8 * s, 8 * s + n, 2 * i, 2 * i + 2 * t - 1) for i, (s, n, t) in enumerate(rows)]
    found = overlaps(blocks(*made), 99)
    pairs = [
        (younger, older)
        for younger, one in enumerate(made)
        for older, other in enumerate(made[:younger])
        if other[3] > one[2] and other[0] < one[1] and other[1] > one[0]
    ]
    assert bool(found) == bool(pairs)
    assert set(found) <= set(pairs)
    assert (found[0][0] if found else None) == (pairs[0][0] if pairs else None)
