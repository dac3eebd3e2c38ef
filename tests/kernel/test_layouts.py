"""Each layout's image and address space, and what a design of virtual = physical gets wrong."""

from __future__ import annotations

import numpy as np
import pytest

from harness.check.verify import verify
from harness.image.build import build, build_directory
from harness.image.description import bundled_description
from harness.image.kernel_image import KernelImage
from harness.machine.pool import Pool
from harness.machine.spec import BootPath, MachineSpec
from tests.kernel.early import stopped
from tests.kernel.layouts import both_layouts
from tests.kernel.session import MIB, PAGE, booted, page_fault

pytestmark = both_layouts

TABLE_ENTRIES = 1024
PRESENT = 1


def test_each_layout_is_linked_where_it_says(kernel: KernelImage) -> None:
    """The entry code alone is always linked where it is loaded."""
    base = {"identity": 0, "higher-half": 0xC0000000}[
        dict(kernel.variables).get("LAYOUT", "higher-half")
    ]
    first, *others = kernel.segments
    assert (first.virtual, first.physical) == (MIB, MIB)
    assert first.virtual <= kernel.entry < first.virtual + first.memory_size
    assert {segment.virtual - segment.physical for segment in others} == {base}


@pytest.mark.slow
def test_both_images_stay_built_side_by_side(
    kernel: KernelImage, identity_kernel: KernelImage
) -> None:
    """A build of one layout neither replaces the other's nor makes it stale."""
    description = bundled_description()
    folders = [build_directory(description, dict(one.variables)) for one in
               (kernel, build(description, {}), identity_kernel)]  # fmt: skip
    assert all((folder / "kernel.elf").is_file() for folder in folders)
    assert len(set(folders)) == 2
    assert build(description, dict(kernel.variables)).build_id == kernel.build_id


@pytest.mark.slow
def test_no_segment_lies_at_physical_0(kernel: KernelImage, pool: Pool) -> None:
    """Such an image boots from GRUB, and triple-faults where a loader takes it by its word."""
    assert min(segment.physical for segment in kernel.segments) == MIB
    for path in BootPath:
        spec = MachineSpec(kernel, 16 * MIB, boot=path)
        assert verify(spec, pool).verdict == "good", path


def test_the_end_of_the_kernel_is_behind_all_of_it(kernel: KernelImage, pool: Pool) -> None:
    """An end symbol in the first section would let its own pages be allocated."""
    end = kernel.physical(kernel.symbol("kernel_end") - 1) + 1
    image = kernel.image_range()
    assert end == image.stop
    assert all(s.physical + s.memory_size <= end for s in kernel.segments)
    with booted(kernel, pool, 4 * MIB) as session:
        given = session.exhaust("high")
        assert all(
            block >= image.stop or block + (PAGE << order) <= image.start for block, order in given
        )
        session.assert_sound()


def test_a_table_is_cleared_to_its_last_entry(kernel: KernelImage, pool: Pool) -> None:
    """A stride of 4 KiB for entries of 4 bytes clears one of them, and memory that is others'."""
    with booted(kernel, pool) as session:
        page, frame = session.layout.some_user, session.alloc(0)
        session.ok(f"map {page:#x} {frame:#x}")
        session.guest.pause()
        ram = session.guest.ram
        directory = ram.array(session.guest.registers().cr3, np.uint32, TABLE_ENTRIES)
        table = ram.array(int(directory[page >> 22]) & -PAGE, np.uint32, TABLE_ENTRIES)
        assert np.flatnonzero(table).tolist() == [page >> 12 & 0x3FF]
        assert all(entry & PRESENT for entry in directory[directory != 0])
        session.guest.resume()
        session.assert_sound()


def test_an_entry_holds_the_address_of_its_frame(kernel: KernelImage, pool: Pool) -> None:
    """A frame's number without its shift points into the first MiB, with flags of its own."""
    with booted(kernel, pool) as session:
        page, frame = session.layout.some_user, session.alloc(0)
        session.ok(f"poke {frame + 8:#x} 0x600dda7a")
        session.ok(f"map {page:#x} {frame:#x}")
        assert session.guest.translate(page + 8) == frame + 8
        assert session.touch(page + 8).value == 0x600DDA7A


def test_null_faults_before_the_permanent_tables_too(kernel: KernelImage, pool: Pool) -> None:
    """In the boot map frame 0 would be where NULL points, and where it says so at its base."""
    with stopped(kernel, pool) as early:
        for address in (0, early.base):
            assert early.guest.translate(address) is None
        assert early.guest.translate(early.base + PAGE) == PAGE


def test_frame_0_is_nobodys(kernel: KernelImage, pool: Pool) -> None:
    """Its address says failure: where virtual is physical it is NULL as well."""
    with booted(kernel, pool, 4 * MIB) as session:
        given = [block for block, _ in session.exhaust("high")]
        assert min(given) >= PAGE
        assert session.error("alloc 0") == "memory"
        assert session.error("kmalloc 1") == "memory"
        session.ok("kfree 0")
        for address in (0, session.layout.base):
            assert session.touch(address, "write", 1) == page_fault(address, write=True)
        assert session.panic("free 0 0").message.startswith("buddy: frame 0x0 freed")


@pytest.mark.parametrize(
    ("memory", "cpu"),
    [
        (2 * MIB, "486,-pse"),
        (895 * MIB, "qemu32,-pse,-pge"),
        (897 * MIB, "qemu32"),
        (5120 * MIB, "486"),
    ],
)
def test_every_walk_agrees_where_the_direct_map_ends(
    kernel: KernelImage, pool: Pool, memory: int, cpu: str
) -> None:
    """QEMU's walk, the decoded one and the CPU's."""
    spec = MachineSpec(kernel, memory, cpu=cpu)
    verdict = verify(spec, pool, thorough=True)
    assert (verdict.verdict, verdict.violations) == ("good", ())
