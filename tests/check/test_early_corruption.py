"""The early allocators, stopped before their hand-over, with one wrong bit or number at a time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.check.inspect import inspect_guest
from harness.check.violation import Violation
from harness.image.kernel_image import KernelImage
from harness.machine.guest import Guest
from harness.machine.machine import Machine
from harness.machine.spec import MachineSpec
from tests.check.surgeon import PAGE, Surgeon
from tests.kernel.layouts import both_layouts

pytestmark = both_layouts

MEMORY = 16 << 20
HOLE = 0xA0
FREE = 0x800  # 8 MiB: usable, and far from everything


class EarlySurgeon(Surgeon):
    """A surgeon who knows where the bitmap is."""

    def __init__(self, guest: Guest) -> None:
        super().__init__(guest.kernel, guest.ram, guest.registers().cr3 & ~0xFFF)
        self.guest = guest

    def bootmem(self, member: str) -> int:
        """Return the physical address of a member of the early allocator's struct."""
        start = self.pointer("bootmem")
        return start + self.member("struct bootmem", "map", member)

    def flip(self, frame: int) -> None:
        """Flip a frame's bit, the counter following it."""
        where = self.word(self.bootmem("words")) - self.base + frame // 8
        value = self.ram.read(where, 1)[0]
        taken = value >> frame % 8 & 1
        self.write(where, value ^ 1 << frame % 8, 1)
        self.add(self.bootmem("free"), 1 if taken else -1)

    def violations(self) -> tuple[Violation, ...]:
        return inspect_guest(self.guest, "early").violations


@pytest.fixture(scope="module", params=["qemu32", "486,-pse"])
def early(kernel: KernelImage, request: pytest.FixtureRequest) -> Iterator[EarlySurgeon]:
    """A guest before hand-over; without large pages the boot page tables are in the bitmap too."""
    with Machine(MachineSpec(kernel, MEMORY, cpu=request.param)) as machine:
        guest = machine.boot()
        guest.stop_before(kernel.description.moments["early"])
        yield EarlySurgeon(guest)


def test_the_untouched_bitmap_is_clean(early: EarlySurgeon) -> None:
    assert early.violations() == ()


@pytest.mark.parametrize("what", ["hole", "frame 0", "image", "frame table", "bitmap", "directory"])
def test_a_frame_that_became_free(early: EarlySurgeon, what: str) -> None:
    frame = {
        "hole": HOLE,
        "frame 0": 0,
        "image": early.kernel.image_range().stop // PAGE - 1,
        "frame table": early.frame_at("mem_map"),
        "bitmap": (early.word(early.bootmem("words")) - early.base) // PAGE,
        "directory": early.root // PAGE,
    }[what]
    try:
        early.flip(frame)
        [found] = early.violations()
    finally:
        early.heal()
    assert found.kind == "bitmap.free"
    assert found.address == frame * PAGE


def test_a_frame_that_became_taken(early: EarlySurgeon) -> None:
    try:
        early.flip(FREE)
        [found] = early.violations()
    finally:
        early.heal()
    assert (found.kind, found.address) == ("bitmap.taken", FREE * PAGE)


def test_the_counter(early: EarlySurgeon) -> None:
    try:
        early.add(early.bootmem("free"), -1)
        [found] = early.violations()
    finally:
        early.heal()
    assert found.kind == "bitmap.counter"


class BumpSurgeon(EarlySurgeon):
    """A surgeon who knows where memblock's regions are."""

    def region(self, index: int, member: str) -> int:
        """Return the physical address of a member (64 bits) of a region."""
        regions = self.pointer("memblock")
        regions += self.member("struct memblock", "regions")
        where = regions + index * self.size("struct memblock_region")
        return where + self.member("struct memblock_region", member)

    def number(self, index: int, member: str) -> int:
        """Return a member of a region."""
        return int.from_bytes(self.ram.read(self.region(index, member), 8), "little")

    def index_of(self, address: int) -> int:
        """Return the index of the region that holds a physical address."""
        index = 0
        while not self.number(index, "start") <= address < self.number(index, "end"):
            index += 1
        return index


@pytest.fixture(scope="module", params=["qemu32", "486,-pse"])
def bump(kernel: KernelImage, request: pytest.FixtureRequest) -> Iterator[BumpSurgeon]:
    """A guest with memblock in charge; without large pages it gave out boot page tables too."""
    spec = MachineSpec(kernel, MEMORY + (1 << 20), cpu=request.param, append="early=memblock")
    with Machine(spec) as machine:
        guest = machine.boot()
        guest.stop_before(kernel.description.moments["early"])
        yield BumpSurgeon(guest)


def test_the_untouched_regions_are_clean(bump: BumpSurgeon) -> None:
    assert bump.violations() == ()


@pytest.mark.parametrize(
    ("place", "member", "amount", "kind"),
    [
        ("table", "cursor", -PAGE, "bump.free"),
        ("table", "cursor", 4 * PAGE, "bump.taken"),
        ("table", "end", -PAGE, "bump.missing"),
        ("table", "end", PAGE, "bump.reserved"),
        ("table", "start", -PAGE, "bump.order"),
        ("table", "cursor", -(1 << 24), "bump.region"),
        ("first", "start", -PAGE, "bump.reserved"),
        ("first", "start", PAGE, "bump.region"),
        ("behind the image", "start", -PAGE, "bump.reserved"),
        ("behind the image", "cursor", PAGE, "bump.taken"),
    ],
)
def test_one_wrong_number(
    bump: BumpSurgeon, place: str, member: str, amount: int, kind: str
) -> None:
    address = {
        "table": bump.pointer("mem_map"),
        "first": PAGE,
        "behind the image": bump.kernel.image_range().stop + PAGE,
    }[place]
    index = bump.index_of(address)
    try:
        bump.write(bump.region(index, member), bump.number(index, member) + amount, 8)
        if (member, kind) == ("start", "bump.reserved"):
            cursor = bump.number(index, "cursor")
            bump.write(bump.region(index, "cursor"), cursor + amount, 8)
        found = bump.violations()
    finally:
        bump.heal()
    assert [violation.kind for violation in found] == [kind]


def test_a_region_that_is_lost(bump: BumpSurgeon) -> None:
    try:
        bump.add(bump.pointer("memblock"), -1)
        found = bump.violations()
    finally:
        bump.heal()
    assert {violation.kind for violation in found} == {"bump.missing"}


def test_more_regions_than_the_table_holds(bump: BumpSurgeon) -> None:
    try:
        bump.add(bump.pointer("memblock"), 10_000)
        [found] = bump.violations()
    finally:
        bump.heal()
    assert found.kind == "decode.memblock"


@pytest.mark.parametrize(
    ("variable", "value", "kind"),
    [
        ("bootmem", 0x100000, "bitmap.not-chosen"),
        ("memblock", 0, "bump.gone"),
        ("early_allocator", 0, "moment.nobody"),
    ],
)
def test_the_wrong_allocator_in_charge(
    bump: BumpSurgeon, variable: str, value: int, kind: str
) -> None:
    try:
        bump.write(bump.variable(variable), value)
        found = bump.violations()
    finally:
        bump.heal()
    assert kind in {violation.kind for violation in found}
