"""A figure with its target, and how figures are taken."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

CORES = frozenset(os.sched_getaffinity(0))
"""Those that this process may use, before it keeps to one."""


@dataclass(frozen=True)
class Measurement:
    """One figure of ``harness bench``; ``details`` are the figures that it was made of."""

    name: str
    value: float
    unit: str
    target: float | None
    at_least: bool
    """Whether the target, if there is one, is a lower bound; otherwise an upper one."""
    details: dict[str, float] = field(default_factory=dict)

    @property
    def met(self) -> bool:
        """Whether the target is met, if there is one."""
        if self.target is None:
            return True
        return self.value >= self.target if self.at_least else self.value <= self.target


def seconds_of(action: Callable[[], object]) -> float:
    """Return the wall time of one call."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def medians_side_by_side(
    actions: dict[str, tuple[Callable[[], object], int]], rounds: int
) -> dict[str, float]:
    """Return the median seconds of each action.

    In each of ``rounds`` rounds every action runs as often as its number says, so that a change
    in the machine's speed meets all of them alike.
    """
    samples: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(rounds):
        for name, (action, times) in actions.items():
            samples[name] += [seconds_of(action) for _ in range(times)]
    return {name: statistics.median(taken) for name, taken in samples.items()}


@contextmanager
def one_core() -> Iterator[None]:
    """Keep this process, and every process that it starts meanwhile, on one core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def all_cores() -> Iterator[None]:
    """Let what is started meanwhile use every core again."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, CORES)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
