"""What there is to draw from when a case is changed: borders above all."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from random import Random

from harness.fuzz.case import Case
from harness.maps.region import ADDRESS_SPACE, FOUR_GIB, PAGE_SIZE
from harness.workload.operation import Kind

STEPS = (1, 4, 8, 16, 512, PAGE_SIZE - 1, PAGE_SIZE, PAGE_SIZE + 1, 1 << 16, 1 << 20)
"""Bytes from a border to what is near it."""


@dataclass(frozen=True)
class Surroundings:
    """What the mutator draws from besides the case itself."""

    borders: tuple[int, ...]
    memories: tuple[int, ...]
    """Sizes of RAM, in bytes."""
    words: tuple[str, ...]
    """Command lines."""
    cpus: tuple[str, ...]
    others: Sequence[Case]
    """Cases to splice with."""
    kinds: Collection[Kind] = ()
    """Operations that the kernel carries out; none when it has no tapes."""


def place(around: Surroundings, random: Random) -> int:
    """Return an address at a border, or near one; at times what is the same in 32 bits."""
    address = random.choice(around.borders)
    if random.random() < 0.6:
        address += step(random)
    if random.random() < 0.1:
        address += FOUR_GIB
    return address % ADDRESS_SPACE


def step(random: Random) -> int:
    """Return a number of bytes, to go up or down."""
    return random.choice(STEPS) * random.choice((-1, 1))
