"""The early allocator's bitmap, stopped before its hand-over, with one wrong bit at a time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.check.inspect import inspect_guest
from harness.check.violation import Violation
from harness.image.kernel_image import KernelImage
from harness.machine.guest import Guest
from harness.machine.machine import Machine
from harness.machine.spec import MachineSpec
from tests.check.surgeon import DIRECT_MAP, PAGE, Surgeon

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
        start = self.word(self.variable("bootmem")) - DIRECT_MAP
        return start + self.member("struct bootmem", member)

    def flip(self, frame: int) -> None:
        """Flip a frame's bit, the counter following it."""
        where = self.word(self.bootmem("bitmap")) - DIRECT_MAP + frame // 8
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
        "frame table": (early.word(early.variable("mem_map")) - DIRECT_MAP) // PAGE,
        "bitmap": (early.word(early.bootmem("bitmap")) - DIRECT_MAP) // PAGE,
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
