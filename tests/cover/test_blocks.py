"""What QEMU tells of the code that a kernel goes through, which was compiled for nothing."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.cover.blocks import Blocks
from harness.image.description import Description
from harness.image.elf import load_kernel
from harness.image.kernel_image import KernelImage
from harness.machine.machine import Machine
from harness.machine.pool import Pool
from harness.machine.spec import MachineSpec

MEMORY = 16 << 20


@pytest.fixture
def bare(kernel: KernelImage, tmp_path: Path) -> KernelImage:
    """A kernel of which nothing is known but that it boots."""
    path = tmp_path / "kernel.elf"
    subprocess.run(["strip", "--strip-all", "-o", path, kernel.path], check=True)
    return load_kernel(path, Description.none())


@pytest.fixture
def watched(bare: KernelImage) -> Iterator[Pool]:
    with Blocks(bare) as blocks, Pool() as pool:
        pool.observer = blocks
        yield pool


def seen(pool: Pool, kernel: KernelImage, append: str = "") -> frozenset[int]:
    with pool.boot(MachineSpec(kernel, MEMORY, append=append)) as guest:
        guest.console.expect("mm> ")
        assert pool.observer is not None
        return pool.observer.seen()


def test_a_bare_elf_s_ways_differ_with_what_it_is_told(bare: KernelImage, watched: Pool) -> None:
    buddy, pmm = (seen(watched, bare, f"frames={name}") for name in ("buddy", "pmm"))
    assert len(buddy) > 300
    assert len(buddy - pmm) > 30
    assert len(pmm - buddy) > 30


def test_a_boot_s_blocks_are_not_the_next_one_s(bare: KernelImage, watched: Pool) -> None:
    alone = seen(watched, bare, "frames=buddy")
    other = seen(watched, bare, "frames=pmm")
    again = seen(watched, bare, "frames=buddy")
    # In what waits at the prompt an instant more or less makes a difference.
    assert len(alone ^ again) < len(other - alone) / 2


def test_a_number_is_an_offset_into_the_code(kernel: KernelImage) -> None:
    with Blocks(kernel) as blocks, Machine(MachineSpec(kernel, MEMORY), blocks.extra) as machine:
        with machine.boot() as guest:
            guest.run_until_ready()
        found = blocks.seen()
    offsets = {name: offset for offset, name in _functions(kernel)}
    assert offsets["kernel_main"] in found
    assert offsets["panic"] not in found


def _functions(kernel: KernelImage) -> Iterator[tuple[int, str]]:
    """Yield functions with their offsets into the executable segments, one behind the other."""
    first = 0
    for segment in kernel.segments:
        if segment.executable:
            for address, _, name in kernel.symbol_table.functions:
                if 0 <= address - segment.virtual < segment.memory_size:
                    yield first + address - segment.virtual, name
            first += segment.memory_size
