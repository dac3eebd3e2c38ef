"""Runs of frames and how they are told."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from harness.check.runs import (
    counted,
    frames_in_words,
    in_number,
    inward,
    outward,
    pages_in_words,
    runs,
    runs_by_key,
)

masks = st.lists(st.booleans(), max_size=40)


@given(masks)
def test_runs_are_maximal_and_cover_exactly_the_true_elements(mask: list[bool]) -> None:
    found = runs(np.array(mask, dtype=np.bool_)).tolist()
    covered = [index for start, end in found for index in range(start, end)]
    assert covered == [index for index, value in enumerate(mask) if value]
    assert all(before[1] < after[0] for before, after in pairwise(found))


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 2)), max_size=40))
def test_runs_by_key_break_where_the_key_changes(rows: list[tuple[bool, int]]) -> None:
    mask = np.array([row[0] for row in rows], dtype=np.bool_)
    keys = np.array([row[1] for row in rows], dtype=np.int64)
    found = list(runs_by_key(mask, keys))
    expanded = [(index, key) for start, end, key in found for index in range(start, end)]
    assert expanded == [(index, row[1]) for index, row in enumerate(rows) if row[0]]
    pairs = pairwise(found)
    assert all(one[1] < two[0] or one[2] != two[2] for one, two in pairs)


def test_rounding() -> None:
    assert outward(range(0x1FFF, 0x2001)) == range(1, 3)
    assert inward(range(0x1001, 0x3FFF)) == range(2, 3)
    assert list(outward(range(0x1800, 0x1800))) == []


def test_words() -> None:
    assert frames_in_words(0x1234, 0x1235) == "frame 0x1234 (physical 0x1234000)"
    assert frames_in_words(1, 3) == "frames 0x1-0x2 (2, physical 0x1000-0x2fff)"
    assert pages_in_words(0xC0000, 0xC0001) == "page at virtual 0xc0000000"
    assert pages_in_words(1, 3) == "2 pages at virtual 0x1000-0x2fff"


def test_number() -> None:
    text = "[is|are] marked, but nothing uses [it|them]"
    assert in_number(text, one=True) == "is marked, but nothing uses it"
    assert in_number(text, one=False) == "are marked, but nothing uses them"
    assert in_number("a [plain] text", one=True) == "a [plain] text"
    assert (counted(0, "page"), counted(1, "page"), counted(2, "page")) == (
        "0 pages",
        "1 page",
        "2 pages",
    )
