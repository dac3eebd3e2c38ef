"""A kernel as a file on disk: its segments, symbols, source lines, types and description."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path

from harness.image.description import Description
from harness.image.errors import DescriptionError
from harness.image.lines import SourceLines
from harness.image.position import position
from harness.image.symbols import SymbolTable
from harness.image.types import TypeTable


@dataclass(frozen=True)
class Segment:
    """A PT_LOAD program header; addresses and sizes in bytes (ELF specification, chapter 2)."""

    physical: int
    virtual: int
    data: bytes = field(repr=False)
    memory_size: int
    writable: bool
    executable: bool


@dataclass(frozen=True)
class KernelImage:
    """A 32-bit Multiboot ELF; see :func:`harness.image.elf.load_kernel`."""

    path: Path
    build_id: str
    entry: int
    """Address of the first instruction as the loader jumps to it: physical."""
    segments: tuple[Segment, ...]
    description: Description
    multiboot_flags: int = 0
    """Flags of the Multiboot header (Multiboot 0.6.96, section 3.1.2)."""
    variables: tuple[tuple[str, str], ...] = ()
    """Build variables that were set, when it was built here."""
    contents: bytes = field(default=b"", repr=False)
    """The whole file, for its symbols and debug information."""

    def __hash__(self) -> int:
        """Return that of the file's contents, which Python works out once."""
        return hash(self.contents)

    def __getstate__(self) -> dict[str, object]:
        """Leave what was read on demand behind: another process finds it in the cache."""
        return {item.name: getattr(self, item.name) for item in fields(self)}

    @cached_property
    def _cache_key(self) -> str:
        # strip and objcopy leave the build id alone, so the contents count as well.
        return f"{self.build_id}-{zlib.crc32(self.contents):08x}"

    @cached_property
    def digest(self) -> str:
        """The first 16 hexadecimal digits of the file's SHA-256."""
        return hashlib.sha256(self.contents).hexdigest()[:16]

    @cached_property
    def symbol_table(self) -> SymbolTable:
        """The ELF symbol table."""
        return SymbolTable.read(self.contents, self._cache_key)

    @cached_property
    def lines(self) -> SourceLines:
        """Source lines, from DWARF; none without debug information."""
        return SourceLines(self.contents, self._cache_key)

    @cached_property
    def types(self) -> TypeTable:
        """C types, enumerators and variables, from DWARF, and the types that are declared by hand.

        Raise ``DescriptionError`` where the two contradict each other.
        """
        declared = self.description.types
        types = TypeTable.read(self.contents, self._cache_key, self.symbols, declared)
        for one in declared:
            problem = types.disagreement(one)
            if problem:
                where = position(self.description, one, one.name)
                raise DescriptionError(
                    f"{where}: the kernel's debug information says of {one.name}: {problem}"
                )
        return types

    @property
    def symbols(self) -> Mapping[str, int]:
        """Name of each symbol → its value, a virtual address."""
        return self.symbol_table.values

    def symbol(self, name: str) -> int:
        """Return the virtual address of symbol ``name``; raise ``UnknownName``."""
        return self.symbol_table.address(name)

    def function_at(self, virtual: int) -> tuple[str, int] | None:
        """Return the function around a virtual address and the offset into it, in bytes."""
        if not any(0 <= virtual - s.virtual < s.memory_size for s in self.segments):
            return None  # the last symbol's name would say nothing
        return self.symbol_table.function_at(virtual)

    def source_line(self, virtual: int) -> tuple[str, int] | None:
        """Return the source file and line (from 1) of the instruction at a virtual address."""
        return self.lines.find(virtual)

    def image_range(self) -> range:
        """Return the physical bytes from the first to the last of the image, .bss included."""
        start = min((s.physical for s in self.segments), default=0)
        end = max((s.physical + s.memory_size for s in self.segments), default=0)
        return range(start, end)

    def physical(self, virtual: int) -> int:
        """Return where the loader put a virtual address of the image; raise ``LookupError``."""
        for segment in self.segments:
            if 0 <= virtual - segment.virtual < segment.memory_size:
                return virtual - segment.virtual + segment.physical
        raise LookupError(f"virtual 0x{virtual:x} lies in no segment of {self.path}")
