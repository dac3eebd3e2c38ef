"""One wrong thing written into address spaces that were right: each is reported as what it is."""

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
from harness.machine.spec import MachineSpec
from tests.check.surgeon import PAGE, Surgeon
from tests.kernel.layouts import Layout, both_layouts, layout_of

pytestmark = both_layouts

MIB = 1 << 20
WRITABLE, USER, UNCACHED, GLOBAL, PRESENT = 2, 4, 0x10, 0x100, 1


@dataclass
class Patient:
    """A paused guest with three spaces, of which the second is current.

    Each of the first two has a region of three pages where user space starts: the first page has a
    frame of its own, the second shows the page of zeros, the third is absent. The first has a page
    mapped by hand and another region behind.
    """

    guest: Guest
    surgeon: Surgeon
    held: int
    """Physical address of the frame that is mapped by hand."""

    @property
    def layout(self) -> Layout:
        """Where the kernel has what."""
        return self.surgeon.layout

    def violations(self) -> tuple[Violation, ...]:
        """Decode and check the guest as it is now."""
        return inspect_guest(self.guest).violations

    def space(self, number: int) -> int:
        """Return the physical address of a space's record."""
        surgeon = self.surgeon
        node = surgeon.variable("spaces")
        for _ in range(number + 1):
            node = surgeon.word(node) - surgeon.base
        return node - surgeon.member("struct space", "list")

    def root(self, number: int) -> int:
        """Return the physical address of a space's directory."""
        return self.surgeon.word(self.member(number, "directory"))

    def member(self, number: int, name: str) -> int:
        """Return the physical address of a member of a space's record."""
        return self.space(number) + self.surgeon.member("struct space", name)

    def entry(self, number: int, page: int) -> int:
        """Return the physical address of the entry of a page of a space's first region."""
        return Surgeon(self.surgeon.kernel, self.surgeon.ram, self.root(number)).entry(
            self.layout.user.start + page * PAGE
        )

    def region(self, number: int, member: str, index: int = 0) -> int:
        """Return the physical address of a member of a space's region."""
        node = self.member(number, "regions")
        for _ in range(index + 1):
            node = self.surgeon.word(node) - self.surgeon.base
        return node + self.surgeon.member("struct user_region", member)

    def free_frame(self) -> int:
        """Return the physical address of a frame that is free."""
        return self.surgeon.free_frame(1)[0] * PAGE


COMMANDS = """user alloc 3
touch {first:#x} write 1
touch {second:#x} read
user alloc 2
space create
space create
space switch 1
user alloc 3
touch {first:#x} write 1
touch {second:#x} read"""


def by_hand(layout: Layout) -> int:
    """Return the page that is mapped by hand."""
    return layout.some_user + 4 * MIB


def first_user(layout: Layout) -> int:
    return layout.user.start


def untouched(layout: Layout) -> int:
    """Return an address of user space that has no page table."""
    return layout.some_user + 1024 * MIB


def areas(layout: Layout) -> int:
    return layout.areas.start


def large_page(layout: Layout) -> int:
    """Return an address that the direct map shows by a page of 4 MiB."""
    return layout.base + 32 * MIB


@pytest.fixture(scope="module")
def patient(kernel: KernelImage, pool: Pool) -> Iterator[Patient]:
    with pool.boot(MachineSpec(kernel, 64 * MIB)) as guest:
        assert guest.run_until_ready().kind is EndingKind.READY
        held = guest.monitor.require("alloc 0").number("physical")
        layout = layout_of(kernel)
        guest.monitor.require(f"map {by_hand(layout):#x} {held:#x} rw")
        first = layout.user.start
        for command in COMMANDS.format(first=first, second=first + PAGE).splitlines():
            guest.monitor.require(command)
        guest.pause()
        surgeon = Surgeon(kernel, guest.ram, guest.registers().cr3 & ~0xFFF)
        yield Patient(guest, surgeon, held)


def test_the_untouched_guest_is_clean(patient: Patient) -> None:
    assert patient.violations() == ()


Cut = Callable[[Patient], object]


def flip(number: int, page: int, bits: int) -> Cut:
    """Flip bits of a page's entry."""

    def cut(patient: Patient) -> None:
        where = patient.entry(number, page)
        patient.surgeon.write(where, patient.surgeon.word(where) ^ bits)

    return cut


def show(number: int, page: int, frame: Callable[[Patient], int]) -> Cut:
    """Let a page show another frame."""

    def cut(patient: Patient) -> None:
        where, new = patient.entry(number, page), frame(patient)
        patient.surgeon.write(where, patient.surgeon.word(where) & 0xFFF | new)

    return cut


def add(number: int, member: str, amount: int, index: int = 0) -> Cut:
    """Add to a member of a region."""
    return lambda patient: patient.surgeon.add(patient.region(number, member, index), amount)


def space_member(number: int, name: str, value: int) -> Cut:
    return lambda patient: patient.surgeon.write(patient.member(number, name), value)


def directory(
    number: int, virtual: Callable[[Layout], int], value: Callable[[Patient], int]
) -> Cut:
    """Write the entry of a space's directory for a virtual address."""
    return lambda patient: patient.surgeon.write(
        patient.root(number) + (virtual(patient.layout) >> 22) * 4, value(patient)
    )


def other_s_frame(patient: Patient) -> int:
    return patient.surgeon.word(patient.entry(0, 0)) & ~0xFFF


def other_s_table(patient: Patient) -> int:
    return patient.surgeon.word(patient.root(0) + (patient.layout.user.start >> 22) * 4)


def empty_table(patient: Patient) -> int:
    """Return an entry that refers to a frame of zeros, which somebody holds."""
    for offset in range(0, PAGE, 4):
        patient.surgeon.write(patient.held + offset, 0)
    return patient.held | PRESENT | WRITABLE | USER


def extra_page(patient: Patient) -> None:
    """Map the page behind the region, as a forgotten unmap leaves it."""
    patient.surgeon.write(patient.entry(1, 3), patient.surgeon.word(patient.entry(1, 0)))


def point_current_elsewhere(patient: Patient) -> None:
    surgeon = patient.surgeon
    surgeon.write(surgeon.variable("current_space"), patient.space(0) + surgeon.base)


def forget_current(patient: Patient) -> None:
    patient.surgeon.write(patient.surgeon.variable("current_space"), patient.surgeon.base)


def unlink_current(patient: Patient) -> None:
    """Take the current space off the list, properly."""
    surgeon, link = patient.surgeon, patient.member(1, "list")
    following, previous = surgeon.word(link), surgeon.word(link + 4)
    surgeon.write(previous - surgeon.base, following)
    surgeon.write(following - surgeon.base + 4, previous)


def spaces_s_list(value: int, offset: int = 0) -> Cut:
    return lambda patient: patient.surgeon.write(patient.member(1, "list") + offset, value)


def region_s_list(value: int) -> Cut:
    return lambda patient: patient.surgeon.write(patient.region(1, "list"), value)


def loop_regions(patient: Patient) -> None:
    node = patient.region(0, "list")
    patient.surgeon.write(node, node + patient.surgeon.base)


def map_part(index: int, member: str, value: Callable[[Layout], int]) -> Cut:
    """Write a member of a part of the kernel's own map."""

    def cut(patient: Patient) -> None:
        surgeon = patient.surgeon
        start = surgeon.variable("vmm_regions") + index * surgeon.size("struct vmm_region")
        surgeon.write(start + surgeon.member("struct vmm_region", member), value(patient.layout))

    return cut


def dirty_zeros(patient: Patient) -> None:
    patient.surgeon.write(patient.surgeon.variable("zero_page") + 0x10, 1)


def mark(name: str) -> Cut:
    """Flip a flag of the frame behind the current space's first page."""
    return lambda patient: patient.surgeon.flip_flag(
        (patient.surgeon.word(patient.entry(1, 0)) & ~0xFFF) // PAGE, name
    )


def one_table_everywhere(patient: Patient) -> None:
    """Let each entry of user space refer to one table, which is full."""
    surgeon, table, user = patient.surgeon, patient.free_frame(), patient.layout.user
    for index in range(1024):
        surgeon.write(table + index * 4, patient.held | 7)
    for slot in range(user.start >> 22, user.stop >> 22):
        surgeon.write(patient.root(2) + slot * 4, table | 7)


DIRECT_PART = 1
"""Place of the direct map in the kernel's own map."""

CORRUPTIONS: list[tuple[str, Cut, str]] = [
    ("the page of zeros writable", flip(1, 1, WRITABLE), "spaces.zero-writable"),
    ("the same in another space", flip(0, 1, WRITABLE), "spaces.zero-writable"),
    ("a frame of its own read-only", flip(1, 0, WRITABLE), "spaces.read-only"),
    ("a page closed to users", flip(0, 0, USER), "spaces.not-user"),
    ("a page without cache", flip(1, 0, UNCACHED), "spaces.uncached"),
    ("a global page", flip(1, 0, GLOBAL), "spaces.global"),
    ("a page gone", flip(0, 0, PRESENT), "spaces.counter"),
    ("its frame lost", flip(0, 0, PRESENT), "frames.leaked"),
    ("an entry left behind a region", extra_page, "paging.user-space"),
    ("a region shorter than its pages", add(1, "pages", -2), "paging.user-space"),
    ("a frame in two spaces", show(1, 0, other_s_frame), "spaces.shared-frame"),
    ("a frame twice in one", show(0, 1, other_s_frame), "spaces.shared-frame"),
    ("a free frame behind a page", show(0, 0, Patient.free_frame), "frames.two-owners"),
    ("a held frame behind a page", show(1, 0, lambda one: one.held), "frames.two-owners"),
    ("no RAM behind a page", show(1, 0, lambda one: 0x20000000), "spaces.no-ram"),
    ("the image behind a page", show(1, 0, lambda one: 0x100000), "frames.owned-reserved"),
    ("a page table in two spaces", directory(1, first_user, other_s_table), "spaces.shared-table"),
    ("a page table that maps nothing", directory(1, untouched, empty_table),
     "spaces.empty-table"),
    ("a page table all over user space", one_table_everywhere, "spaces.shared-table"),
    ("a kernel page table missing", directory(0, areas, lambda one: 0x1000),
     "spaces.kernel-part"),
    ("a large page of the kernel's missing", directory(2, large_page, lambda one: 0),
     "spaces.kernel-part"),
    ("a page mapped by hand to a free frame",
     directory(2, by_hand, lambda one: (32 * MIB) | 0x83), "paging.maps-free"),
    ("the counter of frames", add(0, "frames", 1), "spaces.counter"),
    ("a region's start", add(1, "start", 1), "spaces.region"),
    ("a region in front of user space", add(1, "start", -PAGE), "spaces.region"),
    ("a region that reaches into the kernel", add(0, "pages", 0xC0000, 1), "spaces.region"),
    ("a region without pages", add(0, "pages", -2, 1), "spaces.region"),
    ("a region that overlaps the next", add(0, "pages", 1), "spaces.order"),
    ("another space is the current one", point_current_elsewhere, "spaces.current"),
    ("no space is the current one", forget_current, "spaces.current"),
    ("the current space off the list", unlink_current, "spaces.current"),
    ("a directory that is no RAM", space_member(2, "directory", 0x20000000),
     "decode.address-spaces"),
    ("a directory of nobody", space_member(2, "directory", 0), "frames.leaked"),
    ("a link of the spaces into nowhere", spaces_s_list(0xDEADBEE0), "decode.address-spaces"),
    ("a back link of the spaces", spaces_s_list(0xDEADBEE0, 4), "decode.address-spaces"),
    ("a link of regions into nowhere", region_s_list(0x10), "decode.user-regions"),
    ("regions in a circle", loop_regions, "decode.user-regions"),
    ("parts of the map that overlap", map_part(DIRECT_PART, "last", areas), "spaces.map"),
    ("a page outside the map", map_part(DIRECT_PART, "start", large_page), "spaces.outside-map"),
    ("a writable page in a part that is not", map_part(DIRECT_PART, "rights", lambda layout: 0),
     "spaces.map-rights"),
    ("a byte of the page of zeros", dirty_zeros, "contents.read-only"),
    ("the mark of a user's frame", mark("PAGE_USER"), "frame-table.owner"),
    ("another mark of a user's frame", mark("PAGE_HEAP"), "frame-table.owner"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("cut", "kind"), [row[1:] for row in CORRUPTIONS], ids=[row[0] for row in CORRUPTIONS]
)
def test_each_corruption_is_reported(patient: Patient, cut: Cut, kind: str) -> None:
    try:
        cut(patient)
        found = patient.violations()
    finally:
        patient.surgeon.heal()
    assert kind in {one.kind for one in found}, "\n".join(map(str, found))


def test_the_guest_is_whole_again(patient: Patient) -> None:
    assert patient.violations() == ()
