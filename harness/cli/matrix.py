"""The default matrix: what ``harness run`` boots when it is not told what."""

from __future__ import annotations

from dataclasses import replace

from harness.cli.options import Selection
from harness.image.kernel_image import KernelImage
from harness.machine.spec import BootPath, MachineSpec

# Around every border that a 32-bit PC's memory has: nearly none, the 16 MiB DMA limit, an odd
# size, the end of a higher-half kernel's direct map, and QEMU's two ways to cut RAM at 3.5 GiB.
_MIB = 1 << 20
SIZES = tuple(size * _MIB for size in (2, 4, 8, 16, 17, 64, 255, 896, 1024, 3583, 3584, 5120))
FEW_SIZES = tuple(size * _MIB for size in (2, 17, 64, 3584))
FEW_MAPS = ("isa-hole-ali-192M", "sandybridge-hole-2.6-3.0")


def default_matrix(selection: Selection, kernel: KernelImage) -> list[MachineSpec]:
    """Return all sizes, all library maps scaled into 64 MiB, other boot paths, and presets."""
    paths = [BootPath(name) for name in kernel.description.boot.paths]
    sizes = replace(selection, memory=SIZES, boot=(paths[0],))
    maps = replace(selection, memory=(64 * _MIB,), maps=("all",), boot=(paths[0],))
    others = replace(selection, memory=(16 * _MIB, 64 * _MIB), boot=tuple(paths[1:]))
    machines = sizes.machines(kernel) + maps.machines(kernel)
    machines += others.machines(kernel) if paths[1:] else []
    if selection.preset is None:
        for preset in kernel.description.presets:
            machines += _few(sizes.with_preset(preset))
    return machines


def _few(selection: Selection) -> list[MachineSpec]:
    """Return some sizes and real maps, for a kernel that may be built in another way."""
    kernel = selection.load_kernel()
    maps = replace(selection, memory=(64 * _MIB,), maps=FEW_MAPS)
    return replace(selection, memory=FEW_SIZES).machines(kernel) + maps.machines(kernel)
