"""Which functions and lines of a kernel were executed, from counts of its instructions."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from harness.cover.executed import Counts
from harness.image.kernel_image import KernelImage


@dataclass(frozen=True)
class Function:
    """A function with a symbol, and how often its first instruction was executed."""

    name: str
    address: int
    """Virtual."""
    calls: int
    file: str | None = None
    line: int | None = None


@dataclass(frozen=True)
class Coverage:
    """What was executed of one kernel."""

    instructions: int
    """Different ones."""
    functions: tuple[Function, ...]
    """By ascending address; empty without symbols."""
    lines: Mapping[str, Mapping[int, int]]
    """File → line from 1 → how often the most executed instruction of it was; empty without
    debug information."""


def coverage_of(kernel: KernelImage, counts: Mapping[int, Counts]) -> Coverage:
    """Return what ``counts``, of instructions by segment, come to in the kernel's source."""
    return Coverage(
        instructions=sum(int(np.count_nonzero(numbers)) for numbers in counts.values()),
        functions=_functions(kernel, counts),
        lines=_lines(kernel, counts),
    )


def _functions(kernel: KernelImage, counts: Mapping[int, Counts]) -> tuple[Function, ...]:
    found = []
    for address, _, name in kernel.symbol_table.functions:
        calls = _count(counts, address)
        if calls is not None:
            place = kernel.source_line(address) or (None, None)
            found.append(Function(name, address, calls, *place))
    return tuple(found)


def _count(counts: Mapping[int, Counts], address: int) -> int | None:
    """Return how often the instruction at a virtual address was executed; None outside of code."""
    for start, numbers in counts.items():
        if 0 <= address - start < len(numbers):
            return int(numbers[address - start])
    return None


def _lines(kernel: KernelImage, counts: Mapping[int, Counts]) -> dict[str, dict[int, int]]:
    """Return lines by file; a line is a row of the line table, up to the next row."""
    found: dict[str, dict[int, int]] = {}
    table = kernel.lines.table
    addresses = table.addresses
    for start, numbers in counts.items():
        for index in range(bisect_right(addresses, start - 1), len(addresses)):
            first = addresses[index] - start
            if first >= len(numbers):
                break
            end = addresses[index + 1] - start if index + 1 < len(addresses) else len(numbers)
            place = table.find(addresses[index])
            if place is not None and end > first:
                file, line = place
                most = int(numbers[first:end].max(initial=0))
                lines = found.setdefault(file, {})
                lines[line] = max(lines.get(line, 0), most)
    return {file: dict(sorted(lines.items())) for file, lines in sorted(found.items())}
