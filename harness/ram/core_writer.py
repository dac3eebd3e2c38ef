"""Writing RAM to an ELF core; where it is zero, or was never touched, the file takes no room.

QEMU's own ``dump-guest-memory`` reads all of RAM, by which the host has to find memory for all of
it, and takes seconds for a GiB. Source of the layout: the ELF specification 1.2 (book I).
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from harness.ram.core_notes import Note, note_bytes
from harness.ram.mapped import Extent

PAGE = 4096
_CORE, _VERSION = 4, 1
_LOAD, _NOTE = 1, 4
_READ_WRITE = 6


@dataclass(frozen=True)
class _Class:
    """What differs between 32-bit and 64-bit ELF."""

    number: int
    machine: int
    """EM_386 or EM_X86_64."""
    header: struct.Struct
    segment: struct.Struct


_NARROW = _Class(1, 3, struct.Struct("<16sHHIIIIIHHHHHH"), struct.Struct("<8I"))
_WIDE = _Class(2, 62, struct.Struct("<16sHHIQQQIHHHHHH"), struct.Struct("<2I6Q"))
_LIMIT = 1 << 32


def write_core(
    file: BinaryIO, source: int, extents: Sequence[Extent], notes: Iterable[Note]
) -> None:
    """Write RAM and notes to an unbuffered ``file``.

    ``extents`` say which bytes of the open file ``source`` are at which physical addresses; a
    segment's virtual address is its physical one. It is a 64-bit ELF only where 32 bits are not
    enough.
    """
    contents = note_bytes(notes)
    total = sum(extent.length + PAGE for extent in extents) + len(contents) + PAGE
    narrow = total < _LIMIT and all(extent.end <= _LIMIT for extent in extents)
    layout = _NARROW if narrow else _WIDE
    start = layout.header.size + layout.segment.size * (1 + len(extents))
    segments = [_segment(layout, _NOTE, start, 0, len(contents))]
    end = start + len(contents)
    for extent in extents:
        position = -(-end // PAGE) * PAGE
        segments.append(_segment(layout, _LOAD, position, extent.start, extent.length))
        _copy(file, source, extent, position)
        end = position + extent.length
    file.truncate(end)
    file.seek(0)
    for part in (_header(layout, len(segments)), *segments, contents):
        file.write(part)


def _header(layout: _Class, segments: int) -> bytes:
    identity = b"\x7fELF" + bytes([layout.number, 1, _VERSION])  # 1: little-endian
    sizes = (layout.header.size, layout.segment.size, segments, 0, 0, 0)
    place = layout.header.size
    return layout.header.pack(identity, _CORE, layout.machine, _VERSION, 0, place, 0, 0, *sizes)


def _segment(layout: _Class, kind: int, offset: int, address: int, length: int) -> bytes:
    places = (offset, address, address, length, length)
    if layout is _NARROW:
        return layout.segment.pack(kind, *places, _READ_WRITE, 0)
    return layout.segment.pack(kind, _READ_WRITE, *places, 0)


def _copy(file: BinaryIO, source: int, extent: Extent, position: int) -> None:
    """Copy an extent to ``position`` of the file; what is a hole in one is so in the other."""
    at, end = extent.offset, extent.offset + extent.length
    while at < end:
        try:
            start = os.lseek(source, at, os.SEEK_DATA)
        except OSError:  # ENXIO: only a hole follows
            return
        at = min(os.lseek(source, start, os.SEEK_HOLE), end)
        file.seek(position + start - extent.offset)
        while start < at:
            start += os.sendfile(file.fileno(), source, start, at - start)
