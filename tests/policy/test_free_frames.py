"""The fast search for free runs, against the obvious one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.decode.belief.frames import Bitmap
from harness.policy.free_frames import FreeFrames

FRAMES = 3000
"""Several chunks, and a part of one."""

SPANS = st.tuples(st.integers(0, FRAMES - 1), st.integers(1, 1200))
LENGTHS = st.one_of(st.integers(1, 9), st.integers(1, FRAMES))
SEARCHES = st.tuples(LENGTHS, st.integers(0, FRAMES), st.integers(0, FRAMES + 100))


def find_slowly(free: set[int], length: int, start: int, end: int) -> int | None:
    """Return the first frame of the lowest run, by looking at each."""
    run = 0
    for frame in range(start, end):
        run = run + 1 if frame in free else 0
        if run == length:
            return frame - length + 1
    return None


@settings(max_examples=60, deadline=None)
@given(
    islands=st.lists(SPANS, max_size=8),
    steps=st.lists(st.one_of(SEARCHES, SPANS), max_size=12),
)
def test_every_search_finds_the_lowest_run(
    islands: list[tuple[int, int]], steps: list[tuple[int, ...]]
) -> None:
    """Also behind frees, which make runs that earlier searches have not seen."""
    free = {frame for first, length in islands for frame in range(first, first + length)}
    free &= set(range(FRAMES))
    frames = FreeFrames(bytes(frame not in free for frame in range(FRAMES)))
    for step in steps:
        if len(step) == 3:
            length, start, end = step
            found = frames.find(length, start, end)
            assert found == find_slowly(free, length, start, end)
            if found is not None:
                frames.take(found, length)
                free -= set(range(found, found + length))
        else:
            first = step[0]
            run = _taken_from(free, first, step[1])
            if run:
                frames.release(first, run)
                free |= set(range(first, first + run))
    assert free == {frame for frame in range(FRAMES) if frame in frames}


def _taken_from(free: set[int], first: int, most: int) -> int:
    run = 0
    while run < most and first + run < FRAMES and first + run not in free:
        run += 1
    return run


def test_what_was_not_found_is_found_once_it_is_freed() -> None:
    """The run begins in a chunk that was passed over, and ends in others."""
    frames = FreeFrames(bytes(600) + b"\1" * 400 + bytes(3000))
    assert frames.find(3200, 0, 4000) is None
    assert frames.find(1500, 0, 2400) is None
    frames.release(600, 400)
    assert frames.find(1500, 0, 2400) == 0
    assert frames.find(3200, 0, 4000) == 0


@pytest.mark.parametrize(("first", "length"), [(-1, 1), (0, 0), (0, 3), (5, 1), (9, 2), (10, 1)])
def test_only_taken_frames_can_be_released(first: int, length: int) -> None:
    frames = FreeFrames(b"\1\1\0\1\1\0\1\1\1\1")
    with pytest.raises(ValueError, match="not all taken"):
        frames.release(first, length)


def test_a_bitmap_that_begins_higher_up() -> None:
    taken = np.array([True, False, False, True])
    frames = FreeFrames.of(Bitmap("one", 7, taken, True, ()))
    assert [frame for frame in range(12) if frame in frames] == [8, 9]
    assert len(frames) == 11
