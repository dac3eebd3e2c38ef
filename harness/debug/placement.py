"""Where a kernel's code and data are while paging is off.

A kernel in the higher half runs its first instructions where the loader put them, so none of its
symbols is true then. gdb reads the symbols twice: first at the physical addresses, which is
where they count, and once more where the kernel is linked, so that a breakpoint is set at both.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.image.kernel_image import KernelImage, Segment


def offsets(kernel: KernelImage) -> tuple[int, ...]:
    """Return how far virtual addresses lie above physical ones, without 0, largest part first."""
    sizes: dict[int, int] = {}
    for segment in kernel.segments:
        offset = segment.virtual - segment.physical
        sizes[offset] = sizes.get(offset, 0) + segment.memory_size
    return tuple(sorted((one for one in sizes if one), key=lambda one: -sizes[one]))


def placing_commands(kernel: KernelImage, file: str, paging: bool) -> Iterator[str]:
    """Yield gdb's commands that place the symbols in ``file``, in place of those there were."""
    moved = offsets(kernel)
    if paging or not moved:
        yield f"symbol-file {file}"
        return
    yield f"symbol-file -o {-moved[0]:#x} {file}"
    for offset in (*moved[1:], 0):
        yield f"add-symbol-file {file} -o {-offset:#x}"


def is_code(kernel: KernelImage, address: int) -> bool:
    """Return whether there may be code of the kernel's at an address, virtual or physical."""
    return any(
        0 <= address - start < segment.memory_size
        for segment in kernel.segments
        if segment.executable
        for start in (segment.virtual, segment.physical)
    )


def virtual_address(kernel: KernelImage, physical: int) -> int:
    """Return the linked address of a byte of the image; any other address stays as it is."""
    segment = _segment_of(kernel, physical)
    return physical if segment is None else physical - segment.physical + segment.virtual


def _segment_of(kernel: KernelImage, physical: int) -> Segment | None:
    for segment in kernel.segments:
        if 0 <= physical - segment.physical < segment.memory_size:
            return segment
    return None
