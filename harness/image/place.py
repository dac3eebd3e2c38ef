"""What an address of a kernel's image is: symbol, variable, section, segment, source line."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO

from elftools.elf.elffile import ELFFile

from harness.image.c_type import CType, Kind
from harness.image.dwarf import DAMAGED
from harness.image.kernel_image import KernelImage

_SHF_ALLOC = 2


def place_in_image(kernel: KernelImage, virtual: int) -> Iterator[tuple[str, str]]:
    """Yield topic and words of each thing that is known of a virtual address of the image."""
    segment = next(
        (one for one in kernel.segments if 0 <= virtual - one.virtual < one.memory_size), None
    )
    if segment is None:
        return
    if symbol := symbol_at(kernel, virtual):
        yield "symbol", symbol
    rights = "r" + "w" * segment.writable + "x" * segment.executable
    name = section_at(kernel, virtual)
    section = f"{name}, in the" if name else "the"
    first, last = segment.virtual, segment.virtual + segment.memory_size - 1
    yield "section", f"{section} segment 0x{first:x}-0x{last:x} ({rights})"
    if segment.executable and (line := kernel.source_line(virtual)):
        yield "source", f"{line[0]}:{line[1]}"


def symbol_at(kernel: KernelImage, virtual: int) -> str | None:
    """Return what the kernel calls an address: ``zones[1].free_frames``, ``main+0x12``."""
    variable = _variable_at(kernel, virtual)
    if variable is not None:
        return variable
    function = kernel.function_at(virtual)
    if function is not None:
        return _plus(*function)
    below = [(value, name) for name, value in kernel.symbols.items() if value <= virtual]
    if not below:
        return None
    value, name = max(below)
    return _plus(name, virtual - value)


def _plus(name: str, offset: int) -> str:
    return f"{name}+0x{offset:x}" if offset else name


def _variable_at(kernel: KernelImage, virtual: int) -> str | None:
    for name in kernel.types.variables:
        try:
            address, type_ = kernel.types.variable(name)
        except LookupError:  # declared, and never defined
            continue
        if address <= virtual < address + type_.size:
            return member_at(name, type_, virtual - address)
    return None


def member_at(name: str, type_: CType, offset: int) -> str:
    """Return the C expression for the byte ``offset`` of an object called ``name``."""
    plain = type_.stripped
    if plain.kind is Kind.ARRAY and plain.target.size:
        index, offset = divmod(offset, plain.target.size)
        return member_at(f"{name}[{index}]", plain.target, offset)
    if plain.kind in (Kind.STRUCT, Kind.UNION):
        for member in plain.fields():
            if member.bit_size is None and 0 <= offset - member.offset < member.type.size:
                return member_at(f"{name}.{member.name}", member.type, offset - member.offset)
    return _plus(name, offset)


def section_at(kernel: KernelImage, virtual: int) -> str | None:
    """Return the name of the section that an address was linked into."""
    try:
        for section in ELFFile(BytesIO(kernel.contents)).iter_sections():
            start = section["sh_addr"]
            if section["sh_flags"] & _SHF_ALLOC and start <= virtual < start + section["sh_size"]:
                return str(section.name)
    except DAMAGED:
        pass  # a name is a convenience; the segment is known all the same
    return None
