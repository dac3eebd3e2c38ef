"""Which machines the bundled kernel may turn down; expected sizes are worked out by hand."""

from __future__ import annotations

import pytest

from harness.check.model import Model
from harness.check.refusal import reason_to_refuse
from harness.image.kernel_image import KernelImage
from harness.maps.memory_map import MemoryMap
from harness.maps.region import Region

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30


def reason(kernel: KernelImage, *usable: tuple[int, int], ram: int = 4 * GIB) -> str | None:
    regions = tuple(Region(start, end - start, 1) for start, end in usable)
    return reason_to_refuse(Model.of(kernel, MemoryMap(regions), (range(ram),)), kernel)


@pytest.mark.parametrize("memory", [2 * MIB, 16 * MIB, GIB, 4 * GIB])
def test_a_plain_pc_is_no_reason(kernel: KernelImage, memory: int) -> None:
    map_ = MemoryMap.pc(memory)
    assert reason_to_refuse(Model.of(kernel, map_, (range(memory),)), kernel) is None


def test_no_usable_memory(kernel: KernelImage) -> None:
    assert reason(kernel) == "the map has no usable frame where RAM is"


def test_usable_memory_where_no_ram_is(kernel: KernelImage) -> None:
    found = reason(kernel, (64 * MIB, 128 * MIB), ram=32 * MIB)
    assert found == "the map has no usable frame where RAM is"


def test_less_than_the_image_and_the_margin(kernel: KernelImage) -> None:
    end = kernel.image_range().stop
    found = reason(kernel, (MIB, end + 16 * KIB))
    assert found is not None
    assert "a margin of 32" in found


def test_a_frame_table_that_fits_nowhere_in_a_row(kernel: KernelImage) -> None:
    """3 GiB of frames have 12 MiB of 16-byte elements; low memory is 8 MiB pieces."""
    pieces = [(start * MIB, (start + 8) * MIB) for start in range(1, 100, 10)]
    found = reason(kernel, *pieces, (GIB, 4 * GIB))
    assert found is not None
    assert found.startswith(f"the frame table needs {4 * GIB // 4096 * 16 // 4096} frames in a row")


def test_only_memory_beyond_the_linear_map(kernel: KernelImage) -> None:
    assert reason(kernel, (GIB, 2 * GIB)) is not None


def test_enough_in_one_place_is_no_reason(kernel: KernelImage) -> None:
    assert reason(kernel, (MIB, 2 * MIB), (16 * MIB, 64 * MIB)) is None


def test_no_place_for_the_bitmap_where_the_boot_page_tables_reach(kernel: KernelImage) -> None:
    found = reason(kernel, (8 * MIB, 64 * MIB))
    assert found == (
        "bootmem's bitmap needs 1 frame in a row below 8 MiB, and there is no such run"
    )
