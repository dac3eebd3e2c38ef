"""Notes of an ELF core, which tell what its memory was the memory of.

Source: the ELF specification 1.2 (book I): note sections.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from harness.ram.protocol import RamError

_HEADER = struct.Struct("<III")
"""Length of the owner's name with its zero byte, length of the contents, type."""
_ALIGNMENT = 4


@dataclass(frozen=True)
class Note:
    """One note."""

    owner: str
    type: int
    contents: bytes = field(repr=False)


def read_notes(path: Path, owner: str) -> list[Note]:
    """Return the notes of ``owner`` in a core, in order; raise :class:`RamError`."""
    try:
        with path.open("rb") as file:
            segments = [
                (segment["p_offset"], segment["p_filesz"])
                for segment in ELFFile(file).iter_segments()
                if segment["p_type"] == "PT_NOTE"
            ]
            found: list[Note] = []
            for offset, size in segments:
                file.seek(offset)
                found += _parse(file.read(size))
    except OSError as error:
        raise RamError(f"{path}: {error.strerror}") from None
    except (ELFError, ValueError, OverflowError) as error:
        raise RamError(f"{path}: not a usable ELF core: {error}") from None
    return [note for note in found if note.owner == owner]


def note_bytes(notes: Iterable[Note]) -> bytes:
    """Return notes as they stand in a core."""
    return b"".join(_built(note) for note in notes)


def _parse(data: bytes) -> Iterator[Note]:
    position = 0
    while position + _HEADER.size <= len(data):
        name_size, size, kind = _HEADER.unpack_from(data, position)
        name = position + _HEADER.size
        start = name + _padded(name_size)
        if start + size > len(data):
            raise ValueError(f"the note at byte {position} of its notes reaches beyond their end")
        owner = data[name : name + name_size].rstrip(b"\0").decode("latin-1")
        yield Note(owner, kind, data[start : start + size])
        position = start + _padded(size)


def _built(note: Note) -> bytes:
    name = note.owner.encode("latin-1") + b"\0"
    header = _HEADER.pack(len(name), len(note.contents), note.type)
    contents = note.contents.ljust(_padded(len(note.contents)), b"\0")
    return header + name.ljust(_padded(len(name)), b"\0") + contents


def _padded(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT
