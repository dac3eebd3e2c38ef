"""The bitmap of held frames in a correct guest, and one wrong thing written into it at a time."""

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

MIB = 1 << 20
HELD = 3


@dataclass
class Patient:
    """A paused guest of whose frames a caller holds some, in a row."""

    guest: Guest
    surgeon: Surgeon
    first: int
    """The first held frame; the allocator may have rounded their number up."""

    def flip(self, frame: int) -> None:
        """Flip the bit of a frame."""
        where = self.surgeon.pointer("held") + frame // 8
        self.surgeon.write(where, self.guest.ram.read(where, 1)[0] ^ 1 << frame % 8, 1)

    def set_member(self, name: str, value: int) -> None:
        """Write a member of ``struct held``."""
        where = self.surgeon.variable("held") + self.surgeon.member("struct held", name)
        self.surgeon.write(where, value)

    def violations(self) -> list[Violation]:
        return list(inspect_guest(self.guest).violations)


@pytest.fixture(scope="module", params=["pair", "pmm", "bitmap"])
def ward(kernel: KernelImage, pool: Pool, request: pytest.FixtureRequest) -> Iterator[Patient]:
    spec = MachineSpec(kernel, 16 * MIB, append=f"frames={request.param}")
    with pool.boot(spec) as guest:
        assert guest.run_until_ready().kind is EndingKind.READY
        physical = guest.monitor.require(f"pages {HELD}").number("physical")
        guest.pause()
        surgeon = Surgeon(kernel, guest.ram, guest.registers().cr3 & ~0xFFF)
        yield Patient(guest, surgeon, physical // PAGE)


@pytest.fixture
def patient(ward: Patient) -> Iterator[Patient]:
    assert ward.violations() == []
    yield ward
    ward.surgeon.heal()
    assert ward.violations() == []


def test_held_frames_are_their_callers_(patient: Patient) -> None:
    held = inspect_guest(patient.guest).state.held
    assert held is not None
    assert held.taken[patient.first : patient.first + HELD].all()


def forget(patient: Patient) -> int:
    patient.flip(patient.first + 1)
    return patient.first + 1


def hold_a_free_frame(patient: Patient) -> int:
    frame = 16 * MIB // PAGE - 1
    patient.flip(frame)
    return frame


def hold_a_page_table(patient: Patient) -> int:
    frame = patient.surgeon.root // PAGE
    patient.flip(frame)
    return frame


def hold_the_image(patient: Patient) -> int:
    frame = patient.guest.kernel.image_range().start // PAGE
    patient.flip(frame)
    return frame


@pytest.mark.parametrize(
    ("cut", "kind"),
    [
        (forget, "frames.leaked"),
        (hold_a_free_frame, "frames.two-owners"),
        (hold_a_page_table, "frames.two-owners"),
        (hold_the_image, "frames.owned-reserved"),
    ],
)
def test_one_wrong_bit(patient: Patient, cut: Callable[[Patient], int], kind: str) -> None:
    frame = cut(patient)
    [violation] = patient.violations()
    assert (violation.kind, violation.address) == (kind, frame * PAGE)


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("words", 0),
        ("words", 0xFFFFF000),
        ("frames", 0x100001),
        ("frames", 0xFFFFFFFF),
    ],
)
def test_a_bitmap_that_cannot_be_read(patient: Patient, member: str, value: int) -> None:
    patient.set_member(member, value)
    violations = patient.violations()
    assert "decode.held-frames" in {violation.kind for violation in violations[:2]}
    assert "frames.leaked" not in {violation.kind for violation in violations}


def test_a_bitmap_that_is_too_short(patient: Patient) -> None:
    patient.set_member("frames", 16 * MIB // PAGE - 2)
    [violation] = [one for one in patient.violations() if one.kind.startswith("held")]
    assert (violation.kind, violation.address) == ("held.extent", 16 * MIB - 2 * PAGE)


def test_a_bitmap_that_is_too_long(patient: Patient) -> None:
    """Behind the last frame's bit the word goes on."""
    patient.set_member("frames", 16 * MIB // PAGE + 32)
    assert "held.beyond" not in [one.kind for one in patient.violations()]
    patient.flip(16 * MIB // PAGE + 5)
    [violation] = [one for one in patient.violations() if one.kind.startswith("held")]
    assert (violation.kind, violation.address) == ("held.beyond", 16 * MIB + 5 * PAGE)


@pytest.mark.parametrize("value", [0, 0xFFFFFFFC])
def test_a_boot_whose_choice_is_overwritten(patient: Patient, value: int) -> None:
    patient.surgeon.write(patient.surgeon.variable("frame_allocator"), value)
    kinds = [violation.kind for violation in patient.violations()]
    assert "moment.nobody" in kinds
