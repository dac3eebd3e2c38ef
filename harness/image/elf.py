"""Load a kernel's ELF: what a Multiboot loader needs of it, and whether it may be booted.

Sources: the ELF specification 1.2 (book I) and the Multiboot specification 0.6.96, chapter 3.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from io import BytesIO
from itertools import pairwise
from pathlib import Path

from elftools.common.exceptions import ELFParseError
from elftools.common.utils import struct_parse
from elftools.construct import Container, Struct
from elftools.elf.structs import ELFStructs

from harness.image.description import Description
from harness.image.errors import ImageError
from harness.image.kernel_image import KernelImage, Segment

__all__ = ["ImageError", "KernelImage", "find_multiboot_flags", "load_kernel", "physical_entry"]

HEADER_MAGIC = 0x1BADB002
"""Multiboot, section 3.1.2."""
HEADER_SEARCH = 8192
"""Bytes of the file in which the whole Multiboot header lies (section 3.1)."""
KNOWN_REQUIREMENTS = 0x0007
"""Bits 0 (align modules), 1 (memory) and 2 (video mode) of the flags that must be understood."""
REQUIREMENTS = 0xFFFF
"""A loader must refuse flags in bits 0-15 that it does not know (section 3.1.2)."""
ADDRESS_FIELDS = 1 << 16
"""The header itself says where to load (section 3.1.3)."""

LARGEST_FILE = 256 << 20
ADDRESS_SPACE = 1 << 32
PF_X, PF_W = 1, 2
NT_GNU_BUILD_ID = 3


def load_kernel(path: Path, description: Description | None = None) -> KernelImage:
    """Read the kernel at ``path``; raise :class:`ImageError` unless it can be booted.

    An entry point that is a virtual address is taken to where the loader puts it.
    """
    contents = _read(path)
    try:
        elf = _Elf(contents)
        segments = _check_segments(tuple(elf.segments()))
        flags = find_multiboot_flags(contents)
        return KernelImage(
            path=path,
            build_id=elf.build_id() or hashlib.sha1(contents, usedforsecurity=False).hexdigest(),
            entry=physical_entry(elf.entry, segments),
            segments=segments,
            description=description or Description.none(),
            multiboot_flags=flags,
            contents=contents,
        )
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from None


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > LARGEST_FILE:
            raise ImageError(f"{path}: larger than {LARGEST_FILE >> 20} MiB, no kernel")
        return path.read_bytes()
    except OSError as error:
        raise ImageError(f"{path}: {error.strerror}") from None


class _Elf:
    """Headers of an ELF32 little-endian executable for the i386."""

    def __init__(self, contents: bytes) -> None:
        self._contents = contents
        self._stream = BytesIO(contents)
        self._check_identification()
        self._structs = ELFStructs(little_endian=True, elfclass=32)
        self._structs.create_basic_structs()
        self._structs.create_advanced_structs()
        self._header = self._parse(self._structs.Elf_Ehdr, 0, "its header")
        self._check_header()
        self.entry: int = self._header["e_entry"]

    def _check_identification(self) -> None:
        start = self._contents[:6]
        if start[:4] != b"\x7fELF":
            raise ImageError("not an ELF file")
        if len(start) < 6:
            raise ImageError("truncated: its header ends beyond the file")
        if start[4] == 2:
            raise ImageError("a 64-bit ELF; Multiboot 1 boots 32-bit i386 kernels (gcc -m32)")
        if start[4] != 1 or start[5] != 1:
            raise ImageError("not a 32-bit little-endian ELF")

    def _check_header(self) -> None:
        if self._header["e_machine"] != "EM_386":
            raise ImageError(f"built for {self._header['e_machine']}, not for the i386 (EM_386)")
        if self._header["e_type"] != "ET_EXEC":
            hint = "link it, without -shared, -pie or -r"
            raise ImageError(f"not an executable ELF ({self._header['e_type']}); {hint}")
        if self._header["e_phnum"] and self._header["e_phentsize"] < 32:
            raise ImageError(f"program headers of {self._header['e_phentsize']} bytes, not 32")

    def _parse(self, layout: Struct, offset: int, what: str) -> Container:
        try:
            container: Container = struct_parse(layout, self._stream, offset)
            return container
        except ELFParseError:
            raise ImageError(f"truncated: {what} ends beyond the file") from None

    def _program_headers(self) -> Iterator[Container]:
        for index in range(self._header["e_phnum"]):
            offset = self._header["e_phoff"] + index * self._header["e_phentsize"]
            yield self._parse(self._structs.Elf_Phdr, offset, f"program header {index}")

    def segments(self) -> Iterator[Segment]:
        """Yield the PT_LOAD segments that occupy memory."""
        for header in self._program_headers():
            if header["p_type"] == "PT_LOAD" and header["p_memsz"]:
                yield self._segment(header)

    def _segment(self, header: Container) -> Segment:
        data = self._bytes(header["p_offset"], header["p_filesz"])
        if len(data) > header["p_memsz"]:
            raise ImageError(
                f"the segment at physical 0x{header['p_paddr']:x} has more bytes in the file than "
                f"in memory (0x{len(data):x}, 0x{header['p_memsz']:x})"
            )
        return Segment(
            physical=header["p_paddr"],
            virtual=header["p_vaddr"],
            data=data,
            memory_size=header["p_memsz"],
            writable=bool(header["p_flags"] & PF_W),
            executable=bool(header["p_flags"] & PF_X),
        )

    def _bytes(self, offset: int, length: int) -> bytes:
        if offset + length > len(self._contents):
            raise ImageError(
                f"truncated: a segment's bytes 0x{offset:x}-0x{offset + length:x} end beyond the "
                f"file's 0x{len(self._contents):x}"
            )
        return self._contents[offset : offset + length]

    def build_id(self) -> str | None:
        """Return the GNU build id in hex, if there is one in a PT_NOTE segment or a section."""
        for start, length in self._notes():
            found = _find_build_id(self._contents[start : start + length])
            if found:
                return found
        return None

    def _notes(self) -> Iterator[tuple[int, int]]:
        for header in self._program_headers():
            if header["p_type"] == "PT_NOTE":
                yield header["p_offset"], header["p_filesz"]
        if self._header["e_shentsize"] < 40:
            return
        for index in range(self._header["e_shnum"]):
            offset = self._header["e_shoff"] + index * self._header["e_shentsize"]
            if offset + 40 > len(self._contents):
                return
            section = self._parse(self._structs.Elf_Shdr, offset, f"section header {index}")
            if section["sh_type"] == "SHT_NOTE":
                yield section["sh_offset"], section["sh_size"]


def _find_build_id(notes: bytes) -> str | None:
    """Search ELF notes (name size, description size, type; both padded to 4) for the build id."""
    position = 0
    while position + 12 <= len(notes):
        name_size, size, kind = struct.unpack_from("<III", notes, position)
        name = position + 12
        start = name + (name_size + 3 & ~3)
        if kind == NT_GNU_BUILD_ID and notes[name : name + name_size] == b"GNU\0":
            identity = notes[start : start + size]
            return identity.hex() if 0 < len(identity) == size <= 64 else None
        position = start + (size + 3 & ~3)
    return None


def _check_segments(segments: tuple[Segment, ...]) -> tuple[Segment, ...]:
    """Return the segments by physical address; raise when they cannot all be loaded."""
    if not segments:
        raise ImageError("no PT_LOAD segment: nothing to load")
    ordered = tuple(sorted(segments, key=lambda s: s.physical))
    for segment in ordered:
        if segment.physical + segment.memory_size > ADDRESS_SPACE:
            raise ImageError(
                f"the segment at physical 0x{segment.physical:x} ends beyond 4 GiB "
                f"(0x{segment.memory_size:x} bytes)"
            )
    for low, high in pairwise(ordered):
        if low.physical + low.memory_size > high.physical:
            raise ImageError(
                f"the segments at physical 0x{low.physical:x} (0x{low.memory_size:x} bytes) and "
                f"0x{high.physical:x} overlap"
            )
    return ordered


def physical_entry(entry: int, segments: tuple[Segment, ...]) -> int:
    """Return the physical address of the first instruction; raise unless it is in a segment."""
    for segment in segments:
        if 0 <= entry - segment.physical < segment.memory_size:
            return entry
    for segment in segments:
        if 0 <= entry - segment.virtual < segment.memory_size:
            return entry - segment.virtual + segment.physical
    raise ImageError(f"its entry point 0x{entry:x} lies in no PT_LOAD segment")


def find_multiboot_flags(contents: bytes) -> int:
    """Return the flags of the Multiboot header (section 3.1) in the file ``contents``."""
    start = contents[:HEADER_SEARCH]
    wrong_checksum = False
    for offset in range(0, len(start) - 11, 4):
        magic, flags, checksum = struct.unpack_from("<III", start, offset)
        if magic != HEADER_MAGIC:
            continue
        if (magic + flags + checksum) % ADDRESS_SPACE == 0:
            return _check_flags(flags)
        wrong_checksum = True
    if wrong_checksum:
        raise ImageError("its Multiboot header has a wrong checksum")
    raise ImageError(
        f"no Multiboot 1 header (0x{HEADER_MAGIC:X}, aligned to 4) in its first {HEADER_SEARCH} "
        "bytes"
    )


def _check_flags(flags: int) -> int:
    unknown = flags & REQUIREMENTS & ~KNOWN_REQUIREMENTS
    if unknown:
        raise ImageError(f"its Multiboot header requires unknown features (flags 0x{unknown:x})")
    if flags & ADDRESS_FIELDS:
        raise ImageError(
            "its Multiboot header gives load addresses of its own (flag bit 16); "
            "only ELF program headers are supported"
        )
    return flags
