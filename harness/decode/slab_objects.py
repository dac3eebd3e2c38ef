"""The objects of one slab: which are free, and whether anybody wrote around them."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from harness.decode.belief.slabs import Damage
from harness.decode.links import Break

MAX_DAMAGE = 8
"""Wrong bytes of one slab that are told."""

Bytes = npt.NDArray[np.uint8]


class Shape(Protocol):
    """Where things lie in a slab's page, in bytes."""

    @property
    def size(self) -> int: ...
    @property
    def pitch(self) -> int: ...
    @property
    def first(self) -> int: ...
    @property
    def bufctl(self) -> int: ...
    @property
    def capacity(self) -> int: ...


def follow_free(
    data: Bytes, page: int, first: int, shape: Shape
) -> tuple[npt.NDArray[np.int64], Break | None]:
    """Return the indices of the free objects in list order, and where the list goes wrong.

    ``data`` is the page, ``page`` its virtual address, ``first`` the pointer to the first free
    object's link. The list ends with NULL.
    """
    base, pitch = page + shape.first + shape.bufctl, shape.pitch
    links = _links(data, shape)
    found: dict[int, None] = {}
    pointer, before = first, page
    broken = None
    while pointer:
        index, rest = divmod(pointer - base, pitch)
        at = before if found else None
        if rest or not 0 <= index < shape.capacity:
            broken = Break("the free list leads to no object of its slab", (before, pointer), at)
            break
        if index in found:
            broken = Break("the free list leads back into itself", (before, pointer), at)
            break
        found[index] = None
        before, pointer = pointer, links[index]
    return np.array(list(found), dtype=np.int64), broken


def _links(data: Bytes, shape: Shape) -> list[int]:
    """Return the pointer that each object's link holds, were it free."""
    at = shape.first + shape.bufctl + shape.pitch * np.arange(shape.capacity)
    octets = data[at[:, None] + np.arange(4)]
    pointers: list[int] = np.ascontiguousarray(octets).view("<u4").reshape(-1).tolist()
    return pointers


def find_damage(
    data: Bytes,
    page: int,
    free: npt.NDArray[np.int64],
    shape: Shape,
    red_zone: int | None,
    poison: int | None,
) -> tuple[Damage, ...]:
    """Return bytes of red zones and of free objects that are not ``red_zone`` and ``poison``."""
    slots = data[: shape.capacity * shape.pitch].reshape(shape.capacity, shape.pitch)
    found: list[Damage] = []
    if red_zone is not None:
        wrong = slots != red_zone
        wrong[:, shape.first : shape.first + shape.size] = False
        wrong[:, shape.first + shape.bufctl : shape.first + shape.bufctl + 4] = False
        found += _damage("red zone", wrong, slots, page, shape, red_zone)
    if poison is not None:
        wrong = np.zeros(slots.shape, dtype=np.bool_)
        inside = slice(shape.first, shape.first + shape.size)
        wrong[free, inside] = slots[free, inside] != poison
        found += _damage("poison", wrong, slots, page, shape, poison)
    return tuple(found)


def _damage(
    kind: str, wrong: npt.NDArray[np.bool_], slots: Bytes, page: int, shape: Shape, wanted: int
) -> list[Damage]:
    return [
        Damage(
            kind=kind,
            address=page + index * shape.pitch + offset,
            object=page + index * shape.pitch + shape.first,
            found=int(slots[index, offset]),
            wanted=wanted,
        )
        for index, offset in np.argwhere(wrong)[:MAX_DAMAGE].tolist()
    ]
