"""The form in which boot information is handed over, as far as loaders differ in it."""

from __future__ import annotations

from dataclasses import dataclass, fields

LARGEST_ENTRY = 4096
"""Bytes; loaders give 20 or 24, and a map of many entries must fit into memory."""


@dataclass(frozen=True)
class BootInformationShape:
    """How the direct path lays out the Multiboot information; the default is a plain loader's.

    Everything that Multiboot 0.6.96 (section 3.3) leaves open, or that loaders get wrong, can be
    set. Addresses are physical, None lets the harness choose a place that collides with nothing.
    """

    memory: bool = True
    """Bit 0 of the flags, ``mem_lower`` and ``mem_upper``."""
    memory_map: bool = True
    """Bit 6 of the flags, ``mmap_length`` and ``mmap_addr``."""
    command_line: bool = True
    """Bit 2 of the flags."""
    loader_name: bool = True
    """Bit 9 of the flags."""
    memory_lower: int | None = None
    """KiB from address 0; None for what the map says."""
    memory_upper: int | None = None
    """KiB from 1 MiB; None for what the map says."""
    entry_sizes: tuple[int, ...] = (20,)
    """``size`` of the map's entries, in turn; bytes beyond 20 are zero. At least 20."""
    map_length: int | None = None
    """``mmap_length`` as it is claimed; None for the true one. The bytes stay the same."""
    map_address: int | None = None
    information_address: int | None = None
    command_line_address: int | None = None
    module_list_address: int | None = None
    module_addresses: tuple[int | None, ...] = ()
    """Of each module's first byte; missing ones are chosen, page aligned."""
    module_strings: bool = True
    """False leaves the modules' string pointers 0."""
    module_count: int | None = None
    """``mods_count`` as it is claimed; None for the true one."""

    def __post_init__(self) -> None:
        """Raise ValueError for what no boot information could hold."""
        if not self.entry_sizes or min(self.entry_sizes) < 20:
            raise ValueError("a map entry's size is at least 20 bytes")
        if max(self.entry_sizes) > LARGEST_ENTRY:
            raise ValueError(f"a map entry's size is at most {LARGEST_ENTRY} bytes here")
        for field in fields(self):
            value = getattr(self, field.name)
            for number in value if isinstance(value, tuple) else (value,):
                if number is not None and not 0 <= number < 1 << 32:
                    raise ValueError(f"{field.name}: {number} is no unsigned 32-bit number")
