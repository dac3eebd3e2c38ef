"""A workload: what somebody asks a memory manager for, step by step; and its file.

A file is text, one operation a line, so that people can read, compare and write them::

    # workload: power-law
    # description: sizes by a power law …
    # source: …
    frames+ 0 4      allocate 4 frames; the answer is number 0 from here on
    heap+ 1 100      allocate 100 bytes
    heap- 1          free what is number 1
    frames- 0

Numbers may be used again once what they stood for is free. A file whose name ends in ``.gz`` is
compressed.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

_HEADER = ("workload", "description", "source")

MAX_BYTES = 1 << 28
"""A file may have so many characters, unpacked."""


class WorkloadError(Exception):
    """A workload's file that cannot be read; the message has file and line."""


class Action(Enum):
    """What one operation does, by its word in a file."""

    FRAMES_ALLOC = "frames+"
    FRAMES_FREE = "frames-"
    HEAP_ALLOC = "heap+"
    HEAP_FREE = "heap-"

    @property
    def allocates(self) -> bool:
        """Whether it takes memory rather than gives it back."""
        return self.value.endswith("+")

    @property
    def counterpart(self) -> Action:
        """The action that undoes it."""
        return Action(self.value[:-1] + ("-" if self.allocates else "+"))


@dataclass(frozen=True)
class Operation:
    """One step: ``size`` is in frames or bytes, and 0 for a free."""

    action: Action
    slot: int
    """The number of what is allocated or freed."""
    size: int = 0


@dataclass(frozen=True)
class Workload:
    """Operations in their order, with a name and where they come from."""

    name: str
    operations: tuple[Operation, ...] = field(repr=False)
    description: str = ""
    source: str = ""
    """The study that it is derived from; empty for one of our own making."""

    @property
    def slots(self) -> int:
        """How many numbers the operations use, from 0."""
        return max((operation.slot for operation in self.operations), default=-1) + 1


def save_workload(workload: Workload, path: Path) -> None:
    """Write a workload's file, whole or not at all."""
    text = "".join(line + "\n" for line in _lines(workload))
    data = text.encode()
    if path.suffix == ".gz":
        data = gzip.compress(data, mtime=0)
    new = path.with_name(path.name + ".new")
    new.write_bytes(data)
    new.replace(path)


def _lines(workload: Workload) -> Iterator[str]:
    for key, text in zip(_HEADER, (workload.name, workload.description, workload.source), strict=True):
        if text:
            yield f"# {key}: {text}"
    for operation in workload.operations:
        size = f" {operation.size}" if operation.action.allocates else ""
        yield f"{operation.action.value} {operation.slot}{size}"


def load_workload(path: Path) -> Workload:
    """Read a workload's file; raise :class:`WorkloadError` with file and line."""
    return parse_workload(_text(path), str(path), path.name.partition(".")[0])


def _text(path: Path) -> str:
    try:
        opened = gzip.open(path) if path.suffix == ".gz" else path.open("rb")
        with opened as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, EOFError) as error:
        raise WorkloadError(f"{path}: {error}") from None
    if len(data) > MAX_BYTES:
        raise WorkloadError(f"{path}: more than {MAX_BYTES >> 20} MiB")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise WorkloadError(f"{path}: not text: {error}") from None


def parse_workload(text: str, where: str, name: str = "") -> Workload:
    """Return the workload that a file's text means; ``where`` stands in front of errors."""
    header = {"workload": name}
    operations: list[Operation] = []
    live: dict[int, Action] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("#"):
            key, _, value = line[1:].partition(":")
            if key.strip() in _HEADER:
                header[key.strip()] = value.strip()
        elif line.strip():
            try:
                operations.append(_operation(line.split(), live))
            except ValueError as error:
                raise WorkloadError(f"{where}:{number}: {error}") from None
    return Workload(
        header["workload"],
        tuple(operations),
        header.get("description", ""),
        header.get("source", ""),
    )


def _operation(words: list[str], live: dict[int, Action]) -> Operation:
    """Read one line; ``live`` says which numbers stand for what."""
    try:
        action = Action(words[0])
    except ValueError:
        known = ", ".join(one.value for one in Action)
        raise ValueError(f"{words[0]!r} is none of {known}") from None
    numbers = [_number(word) for word in words[1:]]
    if len(numbers) != (2 if action.allocates else 1):
        wanted = "a number and a size" if action.allocates else "a number"
        raise ValueError(f"{action.value} needs {wanted}")
    operation = Operation(action, *numbers)
    _keep_books(operation, live)
    return operation


def _number(word: str) -> int:
    if not word.isascii() or not word.isdigit() or int(word) >= 1 << 32:
        raise ValueError(f"{word!r} is no number below 2^32")
    return int(word)


def _keep_books(operation: Operation, live: dict[int, Action]) -> None:
    slot = operation.slot
    if operation.action.allocates:
        if slot in live:
            raise ValueError(f"{slot} is still in use")
        live[slot] = operation.action
    elif live.pop(slot, None) is not operation.action.counterpart:
        raise ValueError(f"{slot} was not allocated by {operation.action.counterpart.value}")
