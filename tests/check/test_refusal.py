"""Which machines the bundled kernel may turn down; expected sizes are worked out by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.check.model import Model
from harness.check.refusal import reason_to_refuse
from harness.check.verify import verify
from harness.image.description import Description
from harness.image.kernel_image import KernelImage
from harness.machine.pool import Pool
from harness.machine.spec import MachineSpec
from harness.maps.memory_map import MemoryMap
from harness.maps.region import Region

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
PIECES = [(start * MIB, (start + 8) * MIB) for start in range(1, 100, 10)]


@pytest.fixture(scope="module")
def helios(kernel: KernelImage) -> Description:
    """What is in use in a boot with bootmem and the buddy allocator."""
    bitmaps = tuple(one for one in kernel.description.bitmaps if one.name == "bootmem")
    return replace(kernel.description, bitmaps=bitmaps)


@pytest.fixture(scope="module")
def bits_alone(kernel: KernelImage) -> Description:
    """What is in use in a boot with memblock and a bitmap for a frame allocator."""
    bitmaps = tuple(one for one in kernel.description.bitmaps if one.name == "pmm")
    return replace(kernel.description, bitmaps=bitmaps, frame_table=None, free_lists=())


def why(
    kernel: KernelImage, used: Description, *usable: tuple[int, int], ram: int = 4 * GIB
) -> str | None:
    regions = tuple(Region(start, end - start, 1) for start, end in usable)
    model = Model.of(kernel, MemoryMap(regions), (range(ram),))
    return reason_to_refuse(replace(model, description=used), kernel)


@pytest.mark.parametrize("memory", [2 * MIB, 16 * MIB, GIB, 4 * GIB])
def test_a_plain_pc_is_no_reason(kernel: KernelImage, helios: Description, memory: int) -> None:
    pc = Model.of(kernel, MemoryMap.pc(memory), (range(memory),))
    assert reason_to_refuse(replace(pc, description=helios), kernel) is None


def test_no_usable_memory(kernel: KernelImage, helios: Description) -> None:
    assert why(kernel, helios) == "the map has no usable frame where RAM is"


def test_usable_memory_where_no_ram_is(kernel: KernelImage, helios: Description) -> None:
    found = why(kernel, helios, (64 * MIB, 128 * MIB), ram=32 * MIB)
    assert found == "the map has no usable frame where RAM is"


def test_less_than_the_image_and_the_margin(kernel: KernelImage, helios: Description) -> None:
    end = kernel.image_range().stop
    found = why(kernel, helios, (MIB, end + 16 * KIB))
    assert found is not None
    assert "a margin of 32" in found


def test_a_frame_table_that_fits_nowhere_in_a_row(kernel: KernelImage, helios: Description) -> None:
    """3 GiB of frames have 12 MiB of 16-byte elements; low memory is 8 MiB pieces."""
    found = why(kernel, helios, *PIECES, (GIB, 4 * GIB))
    assert found is not None
    assert found.startswith(f"the frame table needs {4 * GIB // 4096 * 16 // 4096} frames in a row")


def test_only_memory_beyond_the_linear_map(kernel: KernelImage, helios: Description) -> None:
    assert why(kernel, helios, (GIB, 2 * GIB)) is not None


def test_enough_in_one_place_is_no_reason(kernel: KernelImage, helios: Description) -> None:
    assert why(kernel, helios, (MIB, 2 * MIB), (16 * MIB, 64 * MIB)) is None


def test_no_place_for_the_bitmap_where_the_boot_page_tables_reach(
    kernel: KernelImage, helios: Description
) -> None:
    found = why(kernel, helios, (8 * MIB, 64 * MIB))
    assert found == (
        "bootmem's bitmap needs 1 frame in a row below 8 MiB, and there is no such run"
    )


def test_bits_fit_where_no_frame_table_does(kernel: KernelImage, bits_alone: Description) -> None:
    assert why(kernel, bits_alone, *PIECES, (GIB, 4 * GIB)) is None


def test_bits_that_fit_nowhere_in_a_row(kernel: KernelImage, bits_alone: Description) -> None:
    """4 GiB of frames have 32 frames of bits, four times, and the bitmap that is there first."""
    pieces = [(start * MIB, start * MIB + 256 * KIB) for start in range(1, 800)]
    found = why(kernel, bits_alone, *pieces, (GIB, 4 * GIB))
    assert found == "the records of frames need 128 frames in a row, and the longest run has 64"


def test_a_boot_is_judged_by_the_allocators_that_it_has_chosen(
    kernel: KernelImage, pool: Pool
) -> None:
    """What is too little for a frame table is none of the reasons of a boot without one."""
    entries = (*PIECES, (GIB, 3 * GIB))
    usable = MemoryMap(tuple(Region(start, end - start, 1) for start, end in entries))
    for name, wanted in (("buddy", "refused"), ("pair", "good"), ("pmm", "good")):
        spec = MachineSpec(kernel, 3 * GIB, map=usable, append=f"early=memblock frames={name}")
        assert verify(spec, pool).verdict == wanted
