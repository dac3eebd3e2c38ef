"""The objects of a slab: free lists, right and astray, and bytes that somebody wrote."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest

from harness.decode.slab_objects import MAX_DAMAGE, find_damage, follow_free

PAGE = 0xC0200000
RED, POISON = 0xBB, 0x6B


@dataclass(frozen=True)
class Shape:
    """Slots of 64 bytes: a red zone of 16, an object of 20, a red zone of 24, the link."""

    size: int = 20
    pitch: int = 64
    first: int = 16
    bufctl: int = 44
    capacity: int = 5


SHAPE = Shape()


def link(index: int) -> int:
    return PAGE + index * SHAPE.pitch + SHAPE.first + SHAPE.bufctl


def slab(*order: int, end: int = 0) -> tuple[np.ndarray, int]:
    """Return a page whose free objects are linked in an order, and the pointer to the first."""
    data = np.full(4096, RED, dtype=np.uint8)
    for index in range(SHAPE.capacity):
        start = index * SHAPE.pitch + SHAPE.first
        data[start : start + SHAPE.size] = POISON
    pointers = [*(link(index) for index in order), end]
    for pointer, following in pairwise(pointers):
        data[pointer - PAGE : pointer - PAGE + 4].view("<u4")[0] = following
    return data, pointers[0]


@pytest.mark.parametrize("order", [(), (3,), (0, 1, 2, 3, 4), (4, 0, 2)])
def test_a_right_list_is_followed_to_its_end(order: tuple[int, ...]) -> None:
    free, broken = follow_free(*_place(*slab(*order)), SHAPE)
    assert (tuple(free), broken) == (order, None)


def _place(data: np.ndarray, first: int) -> tuple[np.ndarray, int, int]:
    return data, PAGE, first


@pytest.mark.parametrize(
    "end", [4, link(1) + 4, link(1) - 64 * 3, link(5), PAGE, PAGE + 4096, 0xFFFFFFFF, 0x41414141]
)
def test_a_list_that_leaves_its_slab_ends_there(end: int) -> None:
    free, broken = follow_free(*_place(*slab(2, 0, end=end)), SHAPE)
    assert tuple(free) == (2, 0)
    assert broken is not None
    assert broken.chain == (link(0), end)


@pytest.mark.parametrize("back", [0, 2, 3])
def test_a_list_that_leads_into_itself_ends(back: int) -> None:
    free, broken = follow_free(*_place(*slab(2, 0, 3, end=link(back))), SHAPE)
    assert tuple(free) == (2, 0, 3)
    assert broken is not None
    assert broken.chain == (link(3), link(back))


def test_nothing_wrong_is_found_in_a_right_slab() -> None:
    data, _ = slab(1)
    assert find_damage(data, PAGE, np.array([1]), SHAPE, RED, POISON) == ()


@pytest.mark.parametrize("offset", [0, 15, 36, 59])
def test_a_byte_of_a_red_zone(offset: int) -> None:
    data, _ = slab(1)
    data[64 * 3 + offset] = 0
    [found] = find_damage(data, PAGE, np.array([1]), SHAPE, RED, POISON)
    assert (found.kind, found.address) == ("red zone", PAGE + 64 * 3 + offset)
    assert (found.object, found.found, found.wanted) == (PAGE + 64 * 3 + 16, 0, RED)


@pytest.mark.parametrize("offset", [16, 35])
def test_a_byte_of_an_object_matters_while_that_is_free(offset: int) -> None:
    data, _ = slab(1)
    data[64 * 1 + offset] = 7
    assert find_damage(data, PAGE, np.array([3]), SHAPE, RED, POISON) == ()
    assert find_damage(data, PAGE, np.array([1]), SHAPE, RED, None) == ()
    [found] = find_damage(data, PAGE, np.array([3, 1]), SHAPE, RED, POISON)
    assert (found.kind, found.address, found.found) == ("poison", PAGE + 64 + offset, 7)


def test_a_slab_without_guards_has_no_damage() -> None:
    data = np.arange(4096, dtype=np.uint64).astype(np.uint8)
    assert find_damage(data, PAGE, np.arange(5), SHAPE, None, None) == ()


def test_of_many_wrong_bytes_some_are_told() -> None:
    data = np.zeros(4096, dtype=np.uint8)
    found = find_damage(data, PAGE, np.arange(5), SHAPE, RED, POISON)
    assert len(found) == 2 * MAX_DAMAGE
