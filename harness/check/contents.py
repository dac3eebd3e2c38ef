"""Bytes that nobody may have written to: read-only segments, and what the boot loader left.

A stray write does not always hit a record of the memory manager's. What the kernel's ELF has in
segments without the right to write is there as long as the kernel runs, and boot information and
modules until somebody is told that they are no longer needed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import numpy as np
import numpy.typing as npt

from harness.check.findings import Findings
from harness.check.model import Placed
from harness.check.violation import Violation
from harness.image.description import Description
from harness.image.kernel_image import KernelImage, Segment
from harness.ram.protocol import AbsentMemory, Ram

SHOWN = 8
"""Bytes that a violation quotes."""


class Kept(Placed, Protocol):
    """Something that the boot loader left in memory, with what it held then."""

    @property
    def data(self) -> bytes: ...


def check_contents(
    kernel: KernelImage, ram: Ram, placements: Iterable[Kept]
) -> tuple[Violation, ...]:
    """Report bytes of physical memory that are no longer what they were when the kernel started.

    A kernel that describes no memory manager does not promise to keep what the loader left.
    """
    findings = Findings("contents")
    for segment in kernel.segments:
        if not segment.writable:
            _check_segment(findings, kernel, ram, segment)
    if _manages_memory(kernel.description):
        for placement in placements:
            _check_placement(findings, kernel, ram, placement)
    return findings.result()


def _manages_memory(description: Description) -> bool:
    return bool(description.frame_table or description.free_lists or description.allocators)


def _check_segment(findings: Findings, kernel: KernelImage, ram: Ram, segment: Segment) -> None:
    """Compare all bytes, those that the ELF leaves to be zero too (chapter 2, p_memsz)."""
    expected = segment.data.ljust(segment.memory_size, b"\0")
    found = _bytes_at(findings, ram, segment.physical, expected, "a read-only segment")
    differs = _differences(found, expected)
    if not len(differs):
        return
    first = int(differs[0])
    kind, name = ("text", "text") if segment.executable else ("read-only", "read-only data")
    place = f"virtual 0x{segment.virtual + first:x}"
    function = kernel.function_at(segment.virtual + first) if segment.executable else None
    if function is not None:
        place += f", {function[0]}+0x{function[1]:x}"
    words = f"the kernel's {name} at physical 0x{segment.physical + first:x} ({place})"
    message = f"{words} {_in_words(found, expected, differs, 'the ELF has')}"
    at = segment.physical + first
    findings.add(kind, message, ("V2", "V9"), at, word=at)


def _check_placement(findings: Findings, kernel: KernelImage, ram: Ram, placed: Kept) -> None:
    """Compare what the loader left, except where it lies in the kernel's own variables."""
    found = _bytes_at(findings, ram, placed.start, placed.data, f"the boot loader's {placed.name}")
    differs = _differences(found, placed.data)
    for segment in kernel.segments:
        if segment.writable and len(differs):
            offset = differs + (placed.start - segment.physical)
            differs = differs[(offset < 0) | (offset >= segment.memory_size)]
    if not len(differs):
        return
    first = placed.start + int(differs[0])
    words = f"the boot loader's {placed.name} at physical 0x{first:x}"
    message = f"{words} {_in_words(found, placed.data, differs, 'the kernel was given')}"
    findings.add("boot-loader", message, ("V2", "V9"), first, word=first)


def _bytes_at(
    findings: Findings, ram: Ram, start: int, expected: bytes, what: str
) -> npt.NDArray[np.uint8]:
    """Return as many bytes as are expected at physical ``start``; none when it is not RAM."""
    try:
        return ram.array(start, np.uint8, len(expected)).view(np.uint8)
    except AbsentMemory as error:
        findings.add("absent", f"{what} is not in RAM: {error}", ("V2", "V9"), start)
        return np.empty(0, dtype=np.uint8)


def _differences(found: npt.NDArray[np.uint8], expected: bytes) -> npt.NDArray[np.int64]:
    """Return the offsets at which bytes differ."""
    wanted = np.frombuffer(expected, np.uint8)[: len(found)]
    return np.flatnonzero(found != wanted).astype(np.int64)


def _in_words(
    found: npt.NDArray[np.uint8], expected: bytes, differs: npt.NDArray[np.int64], had: str
) -> str:
    """Quote the first bytes that differ: "holds 90 where the ELF has c3 (1 byte differs)"."""
    first = int(differs[0])
    end = min(first + SHOWN, int(differs[-1]) + 1)
    count = "1 byte differs" if len(differs) == 1 else f"{len(differs)} bytes differ"
    now, before = found[first:end].tobytes().hex(" "), expected[first:end].hex(" ")
    return f"holds {now} where {had} {before} ({count})"
