"""One wrong thing in a paused, correct guest whose frames are kept in a bitmap: it is seen."""

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
from harness.maps.notation import parse_compact
from tests.check.surgeon import PAGE, Surgeon

MEMORY = 32 << 20
MAP = parse_compact("0-9f000 usable, 100000-1ff1000 usable", "here")[0]
"""An odd number of frames: the bitmaps' last words have bits behind it."""
END = 0x1FF1
FREE = 0x1800  # 24 MiB: usable, and far from everything
HOLE = 0xB8
ALLOCATORS = ("pmm", "bitmap")


@dataclass
class Patient:
    """A paused guest with five held frames and a live block of the heap."""

    name: str
    guest: Guest
    surgeon: Surgeon
    held: int
    """First of the held frames."""
    block: int
    """Virtual address of the heap's block."""

    def violations(self) -> tuple[Violation, ...]:
        return inspect_guest(self.guest).violations

    def member(self, *path: str) -> int:
        """Return the physical address of a member of the frame pool."""
        surgeon = self.surgeon
        start = surgeon.variable(f"{self.name}_frames")
        if self.name == "pmm":
            start += surgeon.member("struct pmm", "pool")
        return start + surgeon.member("struct frame_pool", *path)

    def flip(self, bitmap: str, frame: int, counted: bool = True) -> None:
        """Flip a frame's bit in ``taken`` or ``reserved``, the counter following it."""
        self.flip_at(self.surgeon.word(self.member(bitmap, "words")), frame)
        if counted:
            where = self.surgeon.word(self.member(bitmap, "words")) - self.surgeon.base + frame // 8
            taken = self.surgeon.ram.read(where, 1)[0] >> frame % 8 & 1
            self.surgeon.add(self.member(bitmap, "free"), -1 if taken else 1)

    def flip_at(self, words: int, frame: int) -> None:
        """Flip a bit of words at a virtual address."""
        where = words - self.surgeon.base + frame // 8
        self.surgeon.write(where, self.surgeon.ram.read(where, 1)[0] ^ 1 << frame % 8, 1)

    def frame(self, what: str) -> int:
        """Return a frame by what it is used for."""
        surgeon = self.surgeon
        places: dict[str, Callable[[], int]] = {
            "frame 0": lambda: 0,
            "video memory": lambda: HOLE * PAGE,
            "free frame": lambda: FREE * PAGE,
            "image": lambda: self.guest.kernel.image_range().stop - PAGE,
            "boot information": lambda: self.guest.placements[0].start,
            "records": lambda: surgeon.word(self.member("taken", "words")) - self.surgeon.base,
            "page directory": lambda: surgeon.root,
            "held": lambda: (self.held + 3) * PAGE,
            "heap": lambda: surgeon.physical(self.block),
            "area records": lambda: (
                surgeon.word(surgeon.variable("area_pages")) - self.surgeon.base
            ),
        }
        return places[what]() // PAGE


@pytest.fixture(scope="module", params=ALLOCATORS)
def patient(kernel: KernelImage, pool: Pool, request: pytest.FixtureRequest) -> Iterator[Patient]:
    append = f"frames={request.param}"
    with pool.boot(MachineSpec(kernel, MEMORY, map=MAP, append=append)) as guest:
        assert guest.run_until_ready().kind is EndingKind.READY
        held = guest.monitor.require("pages 5").number("physical") // PAGE
        block = guest.monitor.require("kmalloc 5000").number("virtual")
        guest.pause()
        surgeon = Surgeon(kernel, guest.ram, guest.registers().cr3 & ~0xFFF)
        yield Patient(request.param, guest, surgeon, held, block)


def test_the_untouched_guest_is_clean(patient: Patient) -> None:
    assert patient.violations() == ()


def found_after(patient: Patient, cut: Callable[[Patient], object]) -> tuple[Violation, ...]:
    """Return what is reported once ``cut`` has been made; it is healed again."""
    try:
        cut(patient)
        return patient.violations()
    finally:
        patient.surgeon.heal()


@pytest.mark.parametrize(
    ("what", "kind", "words"),
    [
        ("frame 0", "frames.free-reserved", "frame 0, which is never handed out"),
        ("video memory", "frames.free-reserved", "not usable RAM"),
        ("image", "frames.free-reserved", "the kernel's image"),
        ("boot information", "frames.free-reserved", "the boot loader's"),
        ("records", "frames.two-owners", "both free and metadata"),
        ("page directory", "frames.two-owners", "both free and page table"),
        ("area records", "frames.two-owners", "both free and metadata area records"),
        ("heap", "frames.two-owners", "both free and heap kmalloc"),
        ("held", "frames.two-owners", "both free and held"),
    ],
)
def test_a_frame_that_became_free(patient: Patient, what: str, kind: str, words: str) -> None:
    frame = patient.frame(what)
    found = found_after(patient, lambda one: one.flip("taken", frame))
    (first,) = (one for one in found if one.kind == kind)
    assert first.address == frame * PAGE
    assert words in first.message


def test_a_frame_that_is_taken_by_nobody(patient: Patient) -> None:
    [found] = found_after(patient, lambda one: one.flip("taken", FREE))
    assert (found.kind, found.address) == ("frames.leaked", FREE * PAGE)


@pytest.mark.parametrize("what", ["frame 0", "video memory", "image", "records"])
def test_a_frame_that_came_under_management(patient: Patient, what: str) -> None:
    """Nothing is free that should not be, yet: but it could be freed, and given out."""
    frame = patient.frame(what)
    [found] = found_after(patient, lambda one: one.flip("reserved", frame))
    assert (found.kind, found.address) == ("bitmap.managed", frame * PAGE)


@pytest.mark.parametrize("what", ["free frame", "held", "page directory"])
def test_a_frame_that_can_never_be_freed(patient: Patient, what: str) -> None:
    frame = patient.frame(what)
    [found] = found_after(patient, lambda one: one.flip("reserved", frame))
    assert (found.kind, found.address) == ("bitmap.reserved", frame * PAGE)


@pytest.mark.parametrize(
    ("what", "kind"), [("held", "frames.leaked"), ("free frame", "frames.two-owners")]
)
def test_the_note_of_who_holds_a_frame(patient: Patient, what: str, kind: str) -> None:
    frame = patient.frame(what)
    words = patient.surgeon.word(patient.surgeon.variable("held"))
    [found] = found_after(patient, lambda one: one.flip_at(words, frame))
    assert (found.kind, found.address) == (kind, frame * PAGE)


@pytest.mark.parametrize("amount", [1, -1, 4096])
@pytest.mark.parametrize(
    ("bitmap", "kind"), [("taken", "bitmap.counter"), ("reserved", "bitmap.managed-counter")]
)
def test_a_counter(patient: Patient, bitmap: str, kind: str, amount: int) -> None:
    """By one frame; and fed with bytes."""
    where = patient.member(bitmap, "free")
    [found] = found_after(patient, lambda one: one.surgeon.add(where, amount))
    assert found.kind == kind


def test_a_bit_behind_the_last_frame(patient: Patient) -> None:
    [found] = found_after(patient, lambda one: one.flip("taken", END, counted=False))
    assert found.kind == "bitmap.padding"


def test_a_bitmap_that_ends_too_early(patient: Patient) -> None:
    where = patient.member("taken", "frames")
    found = found_after(patient, lambda one: one.surgeon.add(where, -1))
    assert "bitmap.extent" in {one.kind for one in found}


@pytest.mark.parametrize(
    ("member", "value", "words"),
    [
        ("words", 0x1000, "not mapped (by way of 0x1000)"),
        ("words", 0xFFFFFFF0, "not mapped"),
        ("frames", 0x100001, "the number of bits is 1048577, which is not between 0 and 1048576"),
        ("frames", 0xFFFFFFFF, "which is not between"),
    ],
)
def test_a_bitmap_that_cannot_be_read(
    patient: Patient, member: str, value: int, words: str
) -> None:
    where = patient.member("taken", member)
    found = found_after(patient, lambda one: one.surgeon.write(where, value))
    (first,) = (one for one in found if one.kind == f"decode.{patient.name}")
    assert words in first.message


def test_reserved_frames_that_cannot_be_read(patient: Patient) -> None:
    where = patient.member("reserved", "words")
    found = found_after(patient, lambda one: one.surgeon.write(where, 0x1000))
    assert f"decode.{patient.name}" in {one.kind for one in found}


@pytest.mark.parametrize("patient", ["pmm"], indirect=True)
@pytest.mark.parametrize("value", [END + 1, 0xFFFFFFFF])
def test_a_cursor_beyond_the_last_frame(patient: Patient, value: int) -> None:
    surgeon = patient.surgeon
    where = surgeon.variable("pmm_frames") + surgeon.member("struct pmm", "cursor")
    [found] = found_after(patient, lambda one: one.surgeon.write(where, value))
    assert found.kind == "bitmap.cursor"
    assert f"goes on at frame {value:#x}" in found.message
    assert found_after(patient, lambda one: one.surgeon.write(where, END)) == ()


def test_no_allocator_in_charge(patient: Patient) -> None:
    where = patient.surgeon.variable("frame_allocator")
    found = found_after(patient, lambda one: one.surgeon.write(where, 0))
    assert "moment.nobody" in {one.kind for one in found}
