"""The bundled kernel on every kind of machine: sizes, boot paths, real maps, fills, CPUs."""

from __future__ import annotations

import pytest

from harness.check.verify import verify
from harness.image.build import build
from harness.image.description import bundled_description
from harness.image.kernel_image import KernelImage
from harness.machine.pool import Pool
from harness.machine.spec import BootPath, Fill, FillKind, MachineSpec
from harness.maps import library
from harness.maps.memory_map import MemoryMap
from harness.maps.region import Region
from harness.maps.scale import scale
from harness.report.run_table import finding_text

MIB = 1 << 20
SIZES = (2, 4, 8, 16, 17, 64, 255, 896, 1024, 3583, 3584, 5120)
FILLS = {
    "zero": Fill(FillKind.ZERO),
    "poison": Fill(FillKind.POISON),
    "random": Fill(FillKind.RANDOM, seed=1),
}
MEMBLOCK = "early=memblock"
FEW_MAPS = library.names()[::9]


LOW_MEMORY = 8 * MIB
"""The kernel's first page tables reach this far: its first allocator must find a place below."""
DIRECT_MAP = 896 * MIB
"""Memblock needs no place of its own: all that it gives out may lie where it likes below this."""


def assert_good(spec: MachineSpec, pool: Pool, thorough: bool = False) -> None:
    verdict = verify(spec, pool, thorough)
    assert verdict.verdict == "good", finding_text(verdict)


def assert_as_the_map_allows(
    spec: MachineSpec, pool: Pool, reach: int = LOW_MEMORY, thorough: bool = False
) -> None:
    """A machine is good; one whose published map begins above ``reach`` is turned down."""
    assert spec.map is not None
    bases = [region.base for region in spec.map.usable_regions()]
    if bases and min(bases) < reach:
        assert_good(spec, pool, thorough)
    else:
        verdict = verify(spec, pool)
        assert verdict.verdict == "refused", finding_text(verdict)


@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("mib", SIZES)
def test_sizes_and_fills_on_the_direct_path(
    kernel: KernelImage, pool: Pool, mib: int, fill: str
) -> None:
    assert_good(MachineSpec(kernel, mib * MIB, fill=FILLS[fill]), pool)


@pytest.mark.parametrize("mib", SIZES)
def test_sizes_on_the_multiboot_path(kernel: KernelImage, pool: Pool, mib: int) -> None:
    assert_good(MachineSpec(kernel, mib * MIB, boot=BootPath.MULTIBOOT), pool)


# GRUB itself runs out of memory on 2 MiB. From there on the firmware tells it what it tells QEMU's
# own loader: see the path above for the sizes between these.
@pytest.mark.slow
@pytest.mark.parametrize("mib", [4, 17, 896, 3584, 5120])
def test_sizes_on_the_iso_path(kernel: KernelImage, pool: Pool, mib: int) -> None:
    assert_good(MachineSpec(kernel, mib * MIB, boot=BootPath.ISO), pool)


@pytest.mark.parametrize("mib", [2, 16, 255, 896, 3584])
def test_sizes_on_a_486_without_large_pages(kernel: KernelImage, pool: Pool, mib: int) -> None:
    assert_good(MachineSpec(kernel, mib * MIB, cpu="486,-pse"), pool)


@pytest.mark.parametrize("cpu", ["qemu32", "486,-pse"])
@pytest.mark.parametrize("mib", SIZES)
def test_sizes_with_memblock(kernel: KernelImage, pool: Pool, mib: int, cpu: str) -> None:
    verdict = verify(
        MachineSpec(kernel, mib * MIB, append=MEMBLOCK, cpu=cpu), pool, thorough=cpu == "qemu32"
    )
    assert verdict.verdict == "good", finding_text(verdict)


@pytest.mark.parametrize("name", library.names()[::5])
def test_real_maps_with_memblock(kernel: KernelImage, pool: Pool, name: str) -> None:
    real = library.get(name)
    for memory, chosen in ((64 * MIB, scale(real, 64 * MIB)), (real.claimed_memory(), real)):
        spec = MachineSpec(kernel, memory, map=chosen, append=MEMBLOCK)
        assert_as_the_map_allows(spec, pool, DIRECT_MAP)


def test_memblock_takes_a_map_that_begins_above_low_memory(kernel: KernelImage, pool: Pool) -> None:
    """Without large pages too, where it gives out the boot page tables as well."""
    above = MemoryMap((Region(16 * MIB, 48 * MIB, 1),))
    for cpu in ("qemu32", "486,-pse"):
        assert_good(MachineSpec(kernel, 64 * MIB, map=above, append=MEMBLOCK, cpu=cpu), pool)


@pytest.mark.parametrize("name", library.names())
def test_real_maps_scaled_into_a_small_machine(kernel: KernelImage, pool: Pool, name: str) -> None:
    assert_as_the_map_allows(
        MachineSpec(kernel, 64 * MIB, map=scale(library.get(name), 64 * MIB)), pool
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", library.names()[::2])
def test_real_maps_with_the_memory_that_they_claim(
    kernel: KernelImage, pool: Pool, name: str
) -> None:
    real = library.get(name)
    assert_as_the_map_allows(MachineSpec(kernel, real.claimed_memory(), map=real), pool)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "path"),
    [
        *((name, BootPath.MULTIBOOT) for name in FEW_MAPS),
        *((name, BootPath.ISO) for name in FEW_MAPS[::3]),
    ],
)
def test_real_maps_behind_real_firmware(
    kernel: KernelImage, pool: Pool, name: str, path: BootPath
) -> None:
    chosen = scale(library.get(name), 64 * MIB)
    assert_as_the_map_allows(MachineSpec(kernel, 64 * MIB, map=chosen, boot=path), pool)


@pytest.mark.parametrize("name", FEW_MAPS)
def test_a_map_that_claims_memory_that_is_not_there(
    kernel: KernelImage, pool: Pool, name: str
) -> None:
    assert_as_the_map_allows(MachineSpec(kernel, 64 * MIB, map=library.get(name)), pool)


def test_a_map_without_usable_memory_is_refused(kernel: KernelImage, pool: Pool) -> None:
    reserved = MemoryMap(
        tuple(
            region.__class__(region.base, region.length, 2)
            for region in MemoryMap.pc(64 * MIB).entries
        )
    )
    verdict = verify(MachineSpec(kernel, 64 * MIB, map=reserved), pool)
    assert verdict.verdict == "refused", finding_text(verdict)


@pytest.mark.parametrize("cpu", ["qemu32", "486,-pse"])
@pytest.mark.parametrize("mib", SIZES)
def test_sizes_where_virtual_is_physical(
    identity_kernel: KernelImage, pool: Pool, mib: int, cpu: str
) -> None:
    assert_good(MachineSpec(identity_kernel, mib * MIB, cpu=cpu), pool)


@pytest.mark.parametrize("name", FEW_MAPS)
def test_real_maps_where_virtual_is_physical(
    identity_kernel: KernelImage, pool: Pool, name: str
) -> None:
    """Page by page against QEMU's walk and the CPU's."""
    real = library.get(name)
    for memory, chosen in ((64 * MIB, scale(real, 64 * MIB)), (real.claimed_memory(), real)):
        spec = MachineSpec(identity_kernel, memory, map=chosen)
        assert_as_the_map_allows(spec, pool, thorough=True)


@pytest.mark.parametrize("path", list(BootPath))
@pytest.mark.parametrize("fill", FILLS)
def test_boot_paths_where_virtual_is_physical(
    identity_kernel: KernelImage, pool: Pool, path: BootPath, fill: str
) -> None:
    assert_good(MachineSpec(identity_kernel, 16 * MIB, boot=path, fill=FILLS[fill]), pool)


@pytest.fixture(scope="module")
def clang_kernel() -> KernelImage:
    """The bundled kernel, built with Clang and lld."""
    return build(bundled_description(), {"CC": "clang", "LD": "ld.lld"})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "cpu"),
    [
        *((path, "qemu32") for path in BootPath),
        (BootPath.DIRECT, "486,-pse"),
    ],
)
def test_the_kernel_that_clang_builds(
    clang_kernel: KernelImage, pool: Pool, path: BootPath, cpu: str
) -> None:
    assert_good(MachineSpec(clang_kernel, 64 * MIB, boot=path, cpu=cpu), pool)
