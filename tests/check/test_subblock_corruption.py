"""Heaps of sub-blocks in a correct guest, and one wrong thing written into it at a time."""

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
HEAPS = {
    "subblock": ("struct subblock_block", "kernel_arena", "struct subblock_arena"),
    "subblock-old": ("struct subblock_old_block", "subblock_old", "struct subblock_old"),
    "user subblock": ("struct subblock_block", "user_arena", "struct subblock_arena"),
}
SIZES = (32, 100, 32, 3900)
"""Of the allocations; the last one is alone in the newest block."""


@dataclass
class Patient:
    """A paused guest with two blocks: in the older one three allocations, the second 4 long."""

    name: str
    guest: Guest
    surgeon: Surgeon
    given: list[int]
    """Virtual addresses of the allocations."""

    @property
    def types(self) -> tuple[str, str, str]:
        return HEAPS[self.name]

    def block(self, index: int) -> int:
        """Return the virtual address of a block: 0 is the older one."""
        return self.given[-1 if index else 0] & ~(PAGE - 1)

    def member(self, index: int, name: str, more: int = 0) -> int:
        """Return the physical address of a block's member, or of so many bytes behind it."""
        virtual = self.block(index) + self.surgeon.member(self.types[0], name) + more
        return self.surgeon.physical(virtual)

    def heap(self, *path: str) -> int:
        """Return the physical address of a member of the heap itself."""
        variable = self.surgeon.variable(self.types[1])
        return variable + self.surgeon.member(self.types[2], *path)

    def violations(self) -> list[Violation]:
        """Decode and check the guest as it is now."""
        return list(inspect_guest(self.guest).violations)

    def kinds(self) -> set[str]:
        return {one.kind for one in self.violations()}

    def fault(self) -> str:
        """Return the kind of what could not be decoded."""
        return "decode." + self.name.replace(" ", "-")


@pytest.fixture(scope="module", params=HEAPS)
def ward(kernel: KernelImage, pool: Pool, request: pytest.FixtureRequest) -> Iterator[Patient]:
    name = request.param
    user = name == "user subblock"
    append = "" if user else f"heap={name}"
    command = "subblock user alloc" if user else "heap alloc"
    with pool.boot(MachineSpec(kernel, 16 * MIB, append=append)) as guest:
        assert guest.run_until_ready().kind is EndingKind.READY
        require = guest.monitor.require
        given = [require(f"{command} {size}").number("virtual") for size in SIZES]
        guest.pause()
        surgeon = Surgeon(kernel, guest.ram, guest.registers().cr3 & ~0xFFF)
        yield Patient(name, guest, surgeon, given)


@pytest.fixture
def patient(ward: Patient) -> Iterator[Patient]:
    yield ward
    ward.surgeon.heal()


Cut = Callable[[Patient], object]


def byte(sub_block: int, value: int) -> Cut:
    """Write a byte of the older block's map."""
    return lambda p: p.surgeon.write(p.member(0, "map", sub_block), value, 1)


def counter(name: str, amount: int) -> Cut:
    return lambda p: p.surgeon.add(p.heap("statistics", name), amount)


def free_count(amount: int) -> Cut:
    return lambda p: p.surgeon.add(p.member(0, "free"), amount)


def longest(sub_blocks: int) -> Cut:
    """Write how many free sub-blocks in a row the older block may have; it has 117."""
    return lambda p: p.surgeon.write(p.member(0, "longest"), sub_blocks)


def test_the_untouched_guest_is_clean(patient: Patient) -> None:
    assert patient.violations() == []


@pytest.mark.parametrize(
    ("cut", "expected"),
    [
        (byte(10, 3), {"subblock.live"}),
        (byte(8, 2), {"subblock.live"}),
        (byte(8, 5), {"subblock.colour", "subblock.live"}),
        (byte(8, 1), {"subblock.metadata", "subblock.live", "subblock.counter"}),
        (byte(8, 0), {"subblock.free", "subblock.live", "subblock.counter"}),
        (byte(100, 3), {"subblock.free", "subblock.live", "subblock.counter"}),
        (byte(0, 0), {"subblock.free", "subblock.metadata"}),
        (byte(127, 1), {"subblock.free", "subblock.metadata"}),
        (free_count(1), {"subblock.free"}),
        (free_count(-1000), {"subblock.free"}),
        (longest(20), {"subblock.longest"}),
        (longest(124), {"subblock.longest"}),
        (longest(123), set()),
        (counter("live", 1), {"subblock.live"}),
        (counter("used", -1), {"subblock.counter"}),
        (counter("chunks", 1), {"subblock.counter"}),
    ],
)
def test_a_map_or_a_counter_that_is_wrong(patient: Patient, cut: Cut, expected: set[str]) -> None:
    cut(patient)
    assert patient.kinds() == expected


def test_a_full_block_that_is_said_to_be_the_empty_one(patient: Patient) -> None:
    patient.surgeon.write(patient.heap("spare"), patient.block(0))
    assert patient.kinds() == {"subblock.spare"}


def test_a_list_that_leads_back_into_itself(patient: Patient) -> None:
    patient.surgeon.write(patient.member(0, "next"), patient.block(1))
    [fault] = [one for one in patient.violations() if one.kind == patient.fault()]
    assert "leads back into itself" in fault.message
    assert f"0x{patient.block(0):x}" in fault.message


@pytest.mark.parametrize("pointer", [0xFFFFF000, 0xBFFFFFFC, 2])
def test_a_list_that_leads_to_no_block(patient: Patient, pointer: int) -> None:
    patient.surgeon.write(patient.member(0, "next"), pointer)
    [fault] = [one for one in patient.violations() if one.kind == patient.fault()]
    assert "leads to no node" in fault.message
    assert fault.address == pointer


def test_a_block_that_does_not_begin_with_a_page(patient: Patient) -> None:
    inside = patient.block(0) + 32
    patient.surgeon.write(patient.member(0, "next"), inside)
    patient.surgeon.write(
        patient.surgeon.physical(inside) + patient.surgeon.member(patient.types[0], "next"), 0
    )
    [fault] = [one for one in patient.violations() if one.kind == patient.fault()]
    assert "does not begin where a page does" in fault.message
    assert fault.address == inside


def test_a_block_that_is_lost(patient: Patient) -> None:
    """Its frame is nobody's then, but in user space, where a region has it."""
    patient.surgeon.write(patient.member(1, "next"), 0)
    lost = {"subblock.live", "subblock.counter"}
    assert lost <= patient.kinds()
    assert patient.name == "user subblock" or patient.kinds() - lost


@pytest.mark.parametrize("chunks", [0, 0x100000, 0xFFFFFFFF])
def test_a_block_of_as_many_chunks_as_cannot_be(patient: Patient, chunks: int) -> None:
    if patient.name == "subblock-old":
        pytest.skip("its blocks have one chunk each")
    patient.surgeon.write(patient.member(0, "chunks"), chunks)
    faults = [one for one in patient.violations() if one.kind == patient.fault()]
    assert len(faults) == 1
    assert f"0x{patient.block(0):x}" in faults[0].message


def test_a_block_that_claims_its_neighbour(patient: Patient) -> None:
    if patient.name == "subblock-old":
        pytest.skip("its blocks have one chunk each")
    lower = 0 if patient.block(0) < patient.block(1) else 1
    apart = abs(patient.block(0) - patient.block(1)) // PAGE
    patient.surgeon.write(patient.member(lower, "chunks"), apart + 1)
    assert {"subblock.overlap", "heap-bytes.overlap"} <= patient.kinds()


def test_a_list_of_blocks_in_free_memory(patient: Patient) -> None:
    """What would be a use after the block was given back: its frames have two owners."""
    if patient.name == "user subblock":
        pytest.skip("there its pages would fault")
    frame = free_frame(patient)
    virtual = frame + (patient.block(0) - patient.surgeon.physical(patient.block(0)))
    new = dict.fromkeys(range(0, 32, 4), 0)
    if patient.name == "subblock":
        new[patient.surgeon.member(patient.types[0], "chunks")] = 1
    for offset, value in new.items():
        patient.surgeon.write(frame + offset, value)
    patient.surgeon.write(patient.member(0, "next"), virtual)
    assert "frames.two-owners" in patient.kinds()


def free_frame(patient: Patient) -> int:
    """Return the physical address of a frame in the middle of a free block."""
    frame, order = patient.surgeon.free_frame(0)
    return (frame + (1 << order) // 2) * PAGE
