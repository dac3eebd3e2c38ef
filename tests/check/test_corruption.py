"""One wrong thing written into a paused, correct guest: each must be reported as what it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from harness.check.inspect import inspect_guest
from harness.check.violation import Violation
from harness.image.kernel_image import KernelImage
from harness.machine.ending import EndingKind
from harness.machine.guest import Guest
from harness.machine.pool import Pool
from harness.machine.spec import MachineSpec, Module
from tests.check.surgeon import PAGE, Surgeon
from tests.kernel.layouts import both_layouts

pytestmark = both_layouts

MIB = 1 << 20
MEMORY = 64 * MIB
DMA, NORMAL = 0, 1
MODULE = Module(bytes(range(256)) * 33, "a module")


@dataclass
class Patient:
    """A paused guest with a held block, and two live blocks of the heap."""

    guest: Guest
    surgeon: Surgeon
    held: int
    """First frame of a block of two."""
    block: int
    """Virtual address of a header; its area has two pages."""

    def violations(self) -> tuple[Violation, ...]:
        """Decode and check the guest as it is now."""
        return inspect_guest(self.guest).violations


@pytest.fixture(scope="module")
def patient(kernel: KernelImage, pool: Pool) -> Iterator[Patient]:
    with pool.boot(MachineSpec(kernel, MEMORY, modules=(MODULE,))) as guest:
        assert guest.run_until_ready().kind is EndingKind.READY
        held = guest.monitor.require("alloc 1").number("physical")
        block = guest.monitor.require("kmalloc 5000").number("virtual")
        guest.monitor.require("kmalloc 100")
        guest.pause()
        surgeon = Surgeon(kernel, guest.ram, guest.registers().cr3 & ~0xFFF)
        header = block - surgeon.size("struct block_header")
        yield Patient(guest, surgeon, held // PAGE, header)


def test_the_untouched_guest_is_clean(patient: Patient) -> None:
    assert patient.violations() == ()


Cut = Callable[[Patient], object]


def flag(name: str, frame: Callable[[Patient], int]) -> Cut:
    return lambda patient: patient.surgeon.flip_flag(frame(patient), name)


def page(member: str, value: int, frame: Callable[[Patient], int], size: int = 1) -> Cut:
    return lambda patient: patient.surgeon.write(
        patient.surgeon.page(frame(patient), member), value, size
    )


def entry(virtual: Callable[[Patient], int], bits: int) -> Cut:
    """Flip bits of the entry that maps a virtual address."""

    def cut(patient: Patient) -> None:
        where = patient.surgeon.entry(virtual(patient))
        patient.surgeon.write(where, patient.surgeon.word(where) ^ bits)

    return cut


def directory(virtual: Callable[[Patient], int], value: int) -> Cut:
    """Overwrite the directory's entry for a virtual address."""

    def cut(patient: Patient) -> None:
        where = patient.surgeon.root + (virtual(patient) >> 22) * 4
        patient.surgeon.write(where, value)

    return cut


def counter(name: str, *path: str) -> Cut:
    """Add one to a member of a struct variable."""

    def cut(patient: Patient) -> None:
        surgeon = patient.surgeon
        surgeon.add(surgeon.variable(name) + surgeon.member(f"struct {name}", *path), 1)

    return cut


def in_zone(member: str, amount: int) -> Cut:
    return lambda patient: patient.surgeon.add(patient.surgeon.zone(NORMAL, member), amount)


def free_frame(patient: Patient) -> int:
    return patient.surgeon.free_frame(NORMAL)[0]


def inside_free_block(patient: Patient) -> int:
    return free_frame(patient) + 1


def image_frame(patient: Patient) -> int:
    return patient.guest.spec.kernel.image_range().start // PAGE


def root_frame(patient: Patient) -> int:
    return patient.surgeon.root // PAGE


def heap_frame(patient: Patient) -> int:
    return patient.surgeon.physical(patient.block) // PAGE


def record_frame(patient: Patient) -> int:
    """Return the frame of the areas' records."""
    return patient.surgeon.frame_at("area_pages")


def symbol(name: str, offset: int = 0) -> Callable[[Patient], int]:
    return lambda patient: patient.guest.spec.kernel.symbol(name) + offset


def direct(physical: int) -> Callable[[Patient], int]:
    """Return where the direct map shows a physical address."""
    return lambda patient: patient.surgeon.base + physical


def hole(patient: Patient) -> int:
    """Return the address behind the direct map."""
    return patient.surgeon.layout.direct_map.stop


def user(patient: Patient) -> int:
    return patient.surgeon.layout.some_user


def block(offset: int = 0) -> Callable[[Patient], int]:
    return lambda patient: patient.block + offset


def header(member: str, value: int) -> Cut:
    def cut(patient: Patient) -> None:
        surgeon = patient.surgeon
        offset = surgeon.member("struct block_header", member)
        surgeon.write(surgeon.physical(patient.block) + offset, value)

    return cut


def region(member: str, amount: int, index: int) -> Cut:
    """Add to a member of a region of the kernel's own map."""

    def cut(patient: Patient) -> None:
        surgeon = patient.surgeon
        start = surgeon.variable("firmware_map") + surgeon.member("struct firmware_map", "regions")
        start += index * surgeon.size("struct memory_region")
        surgeon.add(start + surgeon.member("struct memory_region", member), amount)

    return cut


def regions_beyond_the_table(patient: Patient) -> None:
    surgeon = patient.surgeon
    where = surgeon.variable("firmware_map") + surgeon.member("struct firmware_map", "count")
    surgeon.write(
        where,
        surgeon.kernel.types.lookup("struct firmware_map").member("regions").type.stripped.count
        + 1,
    )


def flip(surgeon: Surgeon, where: int) -> None:
    """Flip a bit of the byte at a physical address."""
    surgeon.write(where, surgeon.ram.read(where, 1)[0] ^ 1, 1)


def byte(virtual: Callable[[Patient], int]) -> Cut:
    """Flip a bit of the kernel's image."""
    return lambda patient: flip(patient.surgeon, patient.surgeon.kernel.physical(virtual(patient)))


def placed(name: str) -> Cut:
    """Flip a bit of the last byte of what the boot loader left."""

    def cut(patient: Patient) -> None:
        [found] = [one for one in patient.guest.placements if one.name == name]
        flip(patient.surgeon, found.start + found.length - 1)

    return cut


def area(member: str, amount: int, used: bool = True) -> Cut:
    def cut(patient: Patient) -> None:
        surgeon = patient.surgeon
        found = surgeon.first_area(used)
        surgeon.add(found + surgeon.member("struct area", member), amount)

    return cut


def empty_longest_list(patient: Patient) -> None:
    """Make a free list's head point to itself, as an empty list's does."""
    surgeon = patient.surgeon
    head = surgeon.list_head(NORMAL, surgeon.longest_list(NORMAL))
    surgeon.write(head, head + surgeon.base)
    surgeon.write(head + 4, head + surgeon.base)


def link(offset: int, value: int) -> Cut:
    """Overwrite a pointer of the first free block's node."""

    def cut(patient: Patient) -> None:
        surgeon = patient.surgeon
        surgeon.write(surgeon.page(free_frame(patient), "list") + offset, value)

    return cut


def free_twice(patient: Patient) -> None:
    """Put the held block at the front of a free list, properly linked."""
    surgeon = patient.surgeon
    head = surgeon.list_head(DMA if patient.held * PAGE < 16 << 20 else NORMAL, 1)
    node = surgeon.page(patient.held, "list")
    first = surgeon.word(head)
    surgeon.write(node, first)
    surgeon.write(node + 4, head + surgeon.base)
    surgeon.write(first - surgeon.base + 4, node + surgeon.base)
    surgeon.write(head, node + surgeon.base)


def share_heap_frame(patient: Patient) -> None:
    """Let both pages of a block show one frame."""
    surgeon = patient.surgeon
    first, second = surgeon.entry(patient.block), surgeon.entry(patient.block + PAGE)
    surgeon.write(second, surgeon.word(first))


def steal_heap_frame(patient: Patient) -> None:
    """Let a heap page show a free frame."""
    surgeon = patient.surgeon
    where = surgeon.entry(patient.block)
    surgeon.write(where, surgeon.word(where) & 0xFFF | free_frame(patient) * PAGE)


WRITABLE, USER, GLOBAL, PRESENT = 2, 4, 0x100, 1
LARGE_PAGE = 32 * MIB
"""Where the direct map has a page of 4 MiB."""
LARGE_FREE_PAGE = 0x2000000 | 0x183  # 32 MiB, 4 MiB page, present, writable, global

CORRUPTIONS: list[tuple[str, Cut, str]] = [
    ("free flag inside a free block", flag("PAGE_FREE", inside_free_block), "frame-table.unlisted"),
    ("free flag of a listed block", flag("PAGE_FREE", free_frame), "frame-table.unmarked"),
    ("order of a free block", page("order", 0, free_frame), "frame-table.order"),
    ("zone of a frame", page("zone", 2, free_frame), "frame-table.zone"),
    ("users of a free frame", page("count", 1, inside_free_block, 4), "frame-table.users"),
    ("users of a held frame", page("count", 0, lambda one: one.held, 4), "frame-table.users"),
    ("more users of a held frame", page("count", 2, lambda one: one.held, 4),
     "frame-table.users"),
    ("more users of a record", page("count", 2, record_frame, 4), "frame-table.users"),
    ("reserved flag of the image", flag("PAGE_RESERVED", image_frame), "frame-table.reserved"),
    ("reserved flag of a free frame", flag("PAGE_RESERVED", free_frame), "frame-table.reserved"),
    ("mark of the page directory", flag("PAGE_TABLE", root_frame), "frame-table.owner"),
    ("page table mark", flag("PAGE_TABLE", inside_free_block), "frame-table.owner"),
    ("mark of a heap frame", flag("PAGE_HEAP", heap_frame), "frame-table.owner"),
    ("mark of a record", flag("PAGE_METADATA", record_frame), "frame-table.owner"),
    ("mark of a held frame", flag("PAGE_HELD", lambda one: one.held), "frames.leaked"),
    ("a list emptied", empty_longest_list, "frames.leaked"),
    ("a list's link into nowhere", link(0, 0xDEADBEE0), "decode.buddy"),
    ("a list's back link", link(4, 0xDEADBEE0), "decode.buddy"),
    ("a held block on a free list", free_twice, "frames.two-owners"),
    ("counter of free frames", in_zone("free_frames", -1), "free-lists.frames-counter"),
    ("counter of free blocks", in_zone("free_blocks", 1), "free-lists.blocks-counter"),
    ("counter of managed frames", in_zone("managed_frames", 1), "free-lists.managed-counter"),
    ("direct map page gone", entry(symbol("kernel_start"), PRESENT), "paging.missing"),
    ("large page gone", entry(direct(LARGE_PAGE), PRESENT), "paging.missing"),
    ("direct map page elsewhere", entry(symbol("kernel_start"), 0x1000), "paging.wrong-frame"),
    ("text writable", entry(symbol("kernel_text_start"), WRITABLE), "paging.writable"),
    ("rodata writable", entry(symbol("kernel_rodata_start"), WRITABLE), "paging.writable"),
    ("data read-only", entry(symbol("boot_stack"), WRITABLE), "paging.not-writable"),
    ("large page for users", entry(direct(LARGE_PAGE), USER), "paging.user"),
    ("direct map page without cache", entry(symbol("boot_stack"), 1 << 4), "paging.uncached"),
    ("direct map page with write-through", entry(symbol("boot_stack"), 1 << 3),
     "paging.uncached"),
    ("large page without cache", entry(direct(LARGE_PAGE), 1 << 4), "paging.uncached"),
    ("U/S below an entry without", entry(symbol("boot_stack"), USER), "paging.user-entry"),
    ("heap page without cache", entry(block(), 1 << 4), "heap.uncached"),
    ("U/S of a heap page", entry(block(), USER), "paging.user-entry"),
    ("large page not global", entry(direct(LARGE_PAGE), GLOBAL), "paging.not-global"),
    ("page 0 mapped", entry(direct(0), PRESENT), "paging.guard"),
    ("stack guard mapped", entry(symbol("boot_stack_guard_low"), PRESENT), "paging.guard"),
    ("device hole mapped", entry(direct(0xB8000), PRESENT), "paging.extra"),
    ("page in the hole behind the direct map", directory(hole, LARGE_FREE_PAGE),
     "paging.stray"),
    ("a free frame in user space", directory(user, LARGE_FREE_PAGE), "paging.maps-free"),
    ("heap page gone", entry(block(PAGE), PRESENT), "heap.unmapped"),
    ("header's page gone", entry(block(), PRESENT), "heap.header"),
    ("heap page read-only", entry(block(), WRITABLE), "heap.read-only"),
    ("heap page beyond its area", entry(block(3 * PAGE), PRESENT), "heap.mapped-free"),
    ("a frame behind two heap pages", share_heap_frame, "heap.shared-frame"),
    ("a free frame behind a heap page", steal_heap_frame, "frames.two-owners"),
    ("magic number", header("magic", 0xC0FFEE10), "heap.magic"),
    ("every bit of a magic number", header("magic", 0), "heap.magic"),
    ("size in a header", header("size", 9000), "heap.size"),
    ("start of an area", area("start", PAGE), "heap.gap"),
    ("pages of an area", area("pages", 1), "heap.overlap"),
    ("state of an area", area("state", 1, used=False), "heap.unmapped"),
    ("count of blocks", counter("kmalloc_statistics", "blocks"), "heap.counter"),
    ("count of bytes", counter("kmalloc_statistics", "bytes"), "heap.counter"),
    ("count of frames", counter("kmalloc_statistics", "frames"), "heap.counter"),
    ("start of a usable region", region("start", 1, 0), "firmware-map.missing"),
    ("end of a usable region", region("end", 1, 0), "firmware-map.extra"),
    ("type of a usable region", region("type", 1, 0), "firmware-map.missing"),
    ("type of a reserved region", region("type", -1, 1), "firmware-map.extra"),
    ("end of a reserved region", region("end", 0x10000, 1), "firmware-map.order"),
    ("number of regions", counter("firmware_map", "count"), "firmware-map.region"),
    ("number of regions beyond the table", regions_beyond_the_table, "decode.firmware-map"),
    ("a byte of the text", byte(symbol("kernel_text_end", -PAGE)), "contents.text"),
    ("a byte of the entry code", byte(symbol("entry")), "contents.text"),
    ("a byte of the read-only data", byte(symbol("kernel_rodata_start", PAGE)),
     "contents.read-only"),
    ("boot information", placed("boot information"), "contents.boot-loader"),
    ("memory map", placed("memory map"), "contents.boot-loader"),
    ("command line", placed("command line"), "contents.boot-loader"),
    ("a module", placed("module 0"), "contents.boot-loader"),
    ("early allocator still there",
     lambda one: one.surgeon.write(one.surgeon.variable("bootmem"), MIB),
     "bitmap.not-gone"),
    ("early allocator that was not chosen",
     lambda one: one.surgeon.write(one.surgeon.variable("memblock"), MIB),
     "bump.not-chosen"),
]  # fmt: skip


RESERVED_BIT = 1 << 21  # of a PDE that maps a 4 MiB page: SDM volume 3, table 4-4

CAUSES: list[tuple[str, Cut, str, int, str]] = [
    ("reserved bit of a PDE", entry(direct(LARGE_PAGE), RESERVED_BIT), "decode.page-tables",
     LARGE_PAGE, "is 0x22"),
    ("PDE that refers to no RAM", directory(direct(0), 0x7FFFF003), "decode.page-tables",
     0, "is 0x7ffff003, but there is no RAM at the table"),
    ("PDE that is gone", directory(direct(0), 0), "paging.missing",
     0, "are not mapped, but belong to the direct map"),
]  # fmt: skip
"""What was done, the first kind that must be reported, for which offset into the direct map."""


@pytest.mark.parametrize(
    ("cut", "kind", "offset", "words"), [row[1:] for row in CAUSES], ids=[row[0] for row in CAUSES]
)
def test_the_cause_comes_first(
    patient: Patient, cut: Cut, kind: str, offset: int, words: str
) -> None:
    try:
        cut(patient)
        found = patient.violations()
    finally:
        patient.surgeon.heal()
    assert len(found) > 1
    assert found[0].kind == kind
    assert words in found[0].message
    if kind.startswith("decode"):
        assert f"the PDE for virtual {patient.surgeon.base + offset:#x}-" in found[0].message


@pytest.mark.parametrize(
    ("cut", "kind"), [row[1:] for row in CORRUPTIONS], ids=[row[0] for row in CORRUPTIONS]
)
def test_each_corruption_is_reported(patient: Patient, cut: Cut, kind: str) -> None:
    try:
        cut(patient)
        found = patient.violations()
    finally:
        patient.surgeon.heal()
    assert kind in {one.kind for one in found}, [f"{one.kind}: {one.message}" for one in found]
