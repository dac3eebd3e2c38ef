"""The map that a kernel compiled for it fills: which ways it went, read in guest RAM."""

from __future__ import annotations

import mmap
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest

from harness.cover.edge_map import edge_map, edges_in
from harness.image.description import Description
from harness.image.errors import DescriptionError
from harness.image.kernel_image import KernelImage
from harness.image.schema.running import Coverage
from harness.machine.pool import Pool
from harness.machine.spec import Fill, FillKind, MachineSpec
from harness.maps.memory_map import MemoryMap
from harness.maps.region import Region
from harness.ram.mapped import Extent, MappedRam

MEMORY = 16 << 20
MIB = 1 << 20
WHOLE = ((0, 0x9F000, 1), (MIB, 15 * MIB, 1))
HOLE = ((0, 0x9F000, 1), (MIB, 7 * MIB, 1), (12 * MIB, 4 * MIB, 1))


def edges(kernel: KernelImage, pool: Pool, *changes: tuple[str, object]) -> frozenset[int]:
    """Return the edges of a boot, from guest RAM."""
    with pool.boot(replace(MachineSpec(kernel, MEMORY), **dict(changes))) as guest:
        assert guest.run_until_ready().alive
        place = edge_map(kernel)
        assert place is not None
        return edges_in(guest.ram, place)


def memory_map(entries: Iterable[tuple[int, int, int]]) -> tuple[str, MemoryMap]:
    return "map", MemoryMap(tuple(Region(*entry) for entry in entries))


def test_a_hole_takes_ways_that_a_plain_map_does_not(
    telling_kernel: KernelImage, pool: Pool
) -> None:
    whole = edges(telling_kernel, pool, memory_map(WHOLE))
    hole = edges(telling_kernel, pool, memory_map(HOLE))
    assert len(whole) > 300
    assert hole - whole
    assert edges(telling_kernel, pool, memory_map(WHOLE)) == whole  # a reset forgets the hole's


@pytest.mark.parametrize("kind", FillKind)
def test_what_ram_was_filled_with_is_no_edge(
    telling_kernel: KernelImage, pool: Pool, kind: FillKind
) -> None:
    plain = edges(telling_kernel, pool, ("fill", Fill(FillKind.ZERO)))
    assert edges(telling_kernel, pool, ("fill", Fill(kind))) == plain


def test_other_allocators_go_other_ways(telling_kernel: KernelImage, pool: Pool) -> None:
    one, other = (edges(telling_kernel, pool, ("append", f"frames={x}")) for x in ("buddy", "pmm"))
    assert len(one - other) > 50
    assert len(other - one) > 50


def test_a_counter_tells_about_how_often() -> None:
    counters = np.zeros(256, np.uint8)
    counters[:9] = (0, 1, 2, 3, 4, 7, 8, 127, 255)
    with saved(counters.tobytes()) as ram:
        assert sorted(edges_in(ram, range(256))) == [8, 17, 26, 35, 43, 52, 62, 71]


def test_ram_that_is_not_there_tells_nothing() -> None:
    with saved(b"\1" * 16) as ram:
        assert edges_in(ram, range(8, 24)) == frozenset()


def saved(data: bytes) -> MappedRam:
    memory = mmap.mmap(-1, len(data))
    memory[:] = data
    return MappedRam(memory, [Extent(0, len(data), 0)])


def test_a_kernel_that_was_not_built_for_it_has_no_map(kernel: KernelImage) -> None:
    assert edge_map(kernel) is None
    assert "coverage_map" not in kernel.symbols


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("coverage_mop", "is no map: no variable 'coverage_mop'; nearest: coverage_map"),
        ("mem_map_frames", "is not an array of bytes"),
        ("zones", "is not an array of bytes"),
    ],
)
def test_what_is_no_map_is_said(telling_kernel: KernelImage, name: str, message: str) -> None:
    with pytest.raises(DescriptionError, match=message):
        edge_map(replace(telling_kernel, description=described(telling_kernel, name)))


def described(kernel: KernelImage, name: str) -> Description:
    return replace(kernel.description, coverage=Coverage(name))
