"""A workload: what somebody asks a memory manager for, step by step; and its file.

A file is text, one operation a line, so that people can read, compare and write them::

    # workload: power-law
    # description: sizes by a power law …
    # source: …
    frames+ 0 4      allocate 4 frames; the answer is number 0 from here on
    heap+ 1 100      allocate 100 bytes
    heap- 1          free what is number 1
    frames- 0

Any number below 2^32 will do, and again once what it stood for is free: in memory operations have
slots instead, the lowest free one first, so that a tape needs no more of them than blocks live.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from harness.workload.operation import ALLOCATES, Kind, Operations, operation, operations

_HEADER = ("workload", "description", "source")

MAX_BYTES = 1 << 28
"""A file may have so many bytes."""


class WorkloadError(Exception):
    """A workload's file that cannot be read; the message has file and line."""


_KINDS = {
    "frames+": Kind.FRAMES_ALLOC,
    "frames-": Kind.FRAMES_FREE,
    "heap+": Kind.HEAP_ALLOC,
    "heap-": Kind.HEAP_FREE,
}
"""The words of a file."""
_WORDS = {kind: word for word, kind in _KINDS.items()}
_FREED_BY = {Kind.FRAMES_ALLOC: Kind.FRAMES_FREE, Kind.HEAP_ALLOC: Kind.HEAP_FREE}


@dataclass(frozen=True)
class Workload:
    """Operations in their order, with a name and where they come from."""

    name: str
    operations: Operations = field(repr=False)
    """A free has the size of its allocation."""
    description: str = ""
    source: str = ""
    """The study that it is derived from; empty for one of our own making."""

    @property
    def slots(self) -> int:
        """How many slots the operations use, from 0."""
        return int(self.operations["slot"].max(initial=0)) + 1


class Recorder:
    """Writes operations down one by one, and gives them slots: the lowest free one first."""

    def __init__(self) -> None:
        self._items: list[tuple[int, int, int, int, int]] = []
        self._free: list[int] = []
        self._live: dict[int, tuple[Kind, int]] = {}

    def alloc(self, kind: Kind, size: int) -> int:
        """Allocate ``size`` frames or bytes; return the slot of what is allocated."""
        slot = heapq.heappop(self._free) if self._free else len(self._live)
        self._live[slot] = kind, size
        self._items.append(operation(kind, slot, size))
        return slot

    def free(self, slot: int) -> None:
        """Free what is in this slot."""
        kind, size = self._live.pop(slot)
        heapq.heappush(self._free, slot)
        self._items.append(operation(_FREED_BY[kind], slot, size))

    def freed_by(self, slot: int) -> Kind:
        """Return what frees what is in this slot."""
        return _FREED_BY[self._live[slot][0]]

    def finished(self) -> Operations:
        """Return all operations."""
        return operations(self._items)


def save_workload(workload: Workload, path: Path) -> None:
    """Write a workload's file, whole or not at all."""
    new = path.with_name(path.name + ".new")
    new.write_text("".join(line + "\n" for line in _lines(workload)))
    new.replace(path)


def _lines(workload: Workload) -> Iterator[str]:
    header = (workload.name, workload.description, workload.source)
    for key, text in zip(_HEADER, header, strict=True):
        if text:
            yield f"# {key}: {text}"
    for one in workload.operations:
        kind = Kind(int(one["kind"]))
        size = f" {one['size']}" if kind in ALLOCATES else ""
        yield f"{_WORDS[kind]} {one['slot']}{size}"


def load_workload(path: Path) -> Workload:
    """Read a workload's file; raise :class:`WorkloadError` with file and line."""
    return parse_workload(_text(path), str(path), path.name.partition(".")[0])


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise WorkloadError(f"{path}: {error.strerror}") from None
    if len(data) > MAX_BYTES:
        raise WorkloadError(f"{path}: more than {MAX_BYTES >> 20} MiB")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise WorkloadError(f"{path}: not text: {error}") from None


def parse_workload(text: str, where: str, name: str = "") -> Workload:
    """Return the workload that a file's text means; ``where`` stands in front of errors."""
    header = {"workload": name}
    recorder = Recorder()
    slots: dict[int, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("#"):
            key, _, value = line[1:].partition(":")
            if key.strip() in _HEADER:
                header[key.strip()] = value.strip()
        elif line.strip():
            try:
                _record(line.split(), recorder, slots)
            except ValueError as error:
                raise WorkloadError(f"{where}:{number}: {error}") from None
    return Workload(
        header["workload"],
        recorder.finished(),
        header.get("description", ""),
        header.get("source", ""),
    )


def _record(words: list[str], recorder: Recorder, slots: dict[int, int]) -> None:
    """Take down what one line says; ``slots`` are those of the file's numbers that are in use."""
    kind = _KINDS.get(words[0])
    if kind is None:
        raise ValueError(f"{words[0]!r} is none of {', '.join(_KINDS)}")
    numbers = [_number(word) for word in words[1:]]
    if len(numbers) != (2 if kind in ALLOCATES else 1):
        wanted = "a number and a size" if kind in ALLOCATES else "a number"
        raise ValueError(f"{words[0]} needs {wanted}")
    number = numbers[0]
    if kind in ALLOCATES:
        if number in slots:
            raise ValueError(f"{number} is still in use")
        slots[number] = recorder.alloc(kind, numbers[1])
    elif number in slots and recorder.freed_by(slots[number]) is kind:
        recorder.free(slots.pop(number))
    else:
        raise ValueError(f"{number} is not allocated, or not by {words[0][:-1]}+")


def _number(word: str) -> int:
    if not word.isascii() or not word.isdigit() or int(word) >= 1 << 32:
        raise ValueError(f"{word!r} is no number below 2^32")
    return int(word)
