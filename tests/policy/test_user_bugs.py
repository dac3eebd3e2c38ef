"""Bugs planted in copies of the C: a short life on each, which the policy and the checks see."""

from __future__ import annotations

import pytest

from harness.image.kernel_image import KernelImage
from harness.machine.errors import GuestEnded
from harness.machine.pool import Pool
from tests.kernel.planted import SourceCopy
from tests.policy.test_user import Life

pytestmark = pytest.mark.slow

FIRST = 0
"""The choice that takes the lowest region, space or page."""

BUGS = {
    "no TLB entry is forgotten on unmap": (
        "vmm.c",
        "    *entry = 0;\n    tlb_forget(virtual);\n",
        "    *entry = 0;\n",
    ),
    "the page of zeros is writable": (
        "user_fault.c",
        "VIRT_TO_PHYS(zero_page), PTE_USER)",
        "VIRT_TO_PHYS(zero_page), PTE_USER | PTE_WRITABLE)",
    ),
    "frames are not zeroed": ("user_fault.c", "FRAME_HIGH | FRAME_ZERO", "FRAME_HIGH"),
    "a page table of the kernel's stands in one space": (
        "vmm.c",
        "if (page_rights(virtual) & VMM_USER) {",
        "if (space) {",
    ),
    "pages of users are global": (
        "vmm.c",
        "if (!(rights & VMM_USER))\n        flags",
        "if (rights)\n        flags",
    ),
    "CR3 is not loaded on a switch": ("vmm.c", "    cr3_write(space->directory);\n", ""),
    "pages of users are closed to them": (
        "user_fault.c",
        "uint32_t flags = PTE_WRITABLE | PTE_USER;",
        "uint32_t flags = PTE_WRITABLE;",
    ),
    "a freed region's first page stays mapped": (
        "user.c",
        "vmm_last_mapped(space, region->start, region_end(region))",
        "vmm_last_mapped(space, region->start + PAGE_SIZE, region_end(region))",
    ),
    "frames of a freed region are not given back": (
        "user.c",
        "            free_page(frame);\n",
        "",
    ),
    "the directory of a destroyed space stays": (
        "space.c",
        "    table_free(space->directory);\n",
        "",
    ),
    "regions of a destroyed space stay": ("space.c", "    user_free_all(space);\n", ""),
    "page tables are never given back": (
        "vmm.c",
        "    if (!table_empty(table_at(entry)))\n        return;\n",
        "    if (entry)\n        return;\n",
    ),
    "best fit in place of first fit": (
        "user.c",
        "if (start)\n            return insert_region",
        "if (start && region_at(next)->start - gap == pages * PAGE_SIZE)\n"
        "            return insert_region",
    ),
    "a region begins within the one before it": (
        "user.c",
        "gap = region_end(region_at(next));",
        "gap = region_end(region_at(next)) - PAGE_SIZE;",
    ),
    "a frame is not counted": ("user_fault.c", "        region->frames++;\n", "        ;\n"),
    "the page of zeros is never replaced": (
        "user_fault.c",
        "return error & FAULT_WRITE && vmm_translate",
        "return !error && vmm_translate",
    ),
}


def live(life: Life) -> None:
    """Use two spaces with regions at the same addresses, in all the ways that there are."""
    for _ in range(2):
        for size in (3, 1, 2):
            life.alloc(size)
        for page in range(3):
            life.write(FIRST, page, 4, page + 1)
        life.free(FIRST)
        life.alloc(1)
        life.alloc(2)
        life.read(FIRST, 0, 4)
        life.read(1, 0, 4)
        life.write(1, 0, 8, 9)
        life.compare()
        life.create()
        life.switch(1)
        life.read(FIRST, 0, 4)
    kernel_pages(life)
    life.switch(0)
    life.read(FIRST, 0, 4)
    life.write(FIRST, 0, 8, 5)
    life.compare()
    life.destroy(FIRST)
    life.compare()
    life.free(FIRST)
    life.compare()


def kernel_pages(life: Life) -> None:
    """Let the kernel map something while another space is current."""
    life.guest.monitor.require("kmalloc 100")


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_is_seen(pool: Pool, source_copy: SourceCopy, name: str) -> None:
    file, right, wrong = BUGS[name]
    life = Life(source_copy.plant(f"mm/paging/{file}", right, wrong), pool, "qemu32")
    with life.stack, pytest.raises((AssertionError, GuestEnded)):
        live(life)


def test_without_a_bug_the_same_life_is_silent(kernel: KernelImage, pool: Pool) -> None:
    life = Life(kernel, pool, "qemu32")
    with life.stack:
        live(life)
