"""One wrong thing in a paused, correct guest whose frames are a pair-bitmap buddy's: it is seen."""

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

MEMORY = 1000 << 20
DMA, NORMAL, HIGH = range(3)
ORDER = 3


@dataclass
class Patient:
    """A paused guest with a held block and two free ones of one order on each zone's list."""

    guest: Guest
    surgeon: Surgeon
    held: int
    """Physical address of a block of order 3 in the normal zone."""

    def violations(self) -> tuple[Violation, ...]:
        return inspect_guest(self.guest).violations

    def zone(self, zone: int, member: str, index: int = 0, width: int = 4) -> int:
        """Return the physical address of (an element of) a member of a zone's ``buddy_t``."""
        start = self.surgeon.variable("buddies") + zone * self.surgeon.size("buddy_t")
        return start + self.surgeon.member("buddy_t", member) + index * width

    def first(self, zone: int, order: int = ORDER) -> int:
        """Return the physical address of the first block on a list."""
        return self.surgeon.word(self.zone(zone, "free_lists", order))

    def second(self, zone: int) -> int:
        return self.surgeon.word(self.node(self.first(zone), "next"))

    def node(self, block: int, member: str) -> int:
        return block + self.surgeon.member("struct buddy_node", member)

    def bit(self, zone: int, order: int, pair: int) -> tuple[int, int]:
        """Return the physical address of the byte that has a pair's bit, and the bit's mask."""
        bit = self.surgeon.word(self.zone(zone, "first_bit", order)) + pair
        bits = self.surgeon.word(self.zone(zone, "map"))
        return bits - self.surgeon.base + bit // 8, 1 << bit % 8

    def managed(self, frame: int) -> tuple[int, int]:
        """Return the same for the bit that notes a frame as managed."""
        bits = self.surgeon.word(self.surgeon.variable("pair_managed"))
        return bits - self.surgeon.base + frame // 8, 1 << frame % 8


@pytest.fixture(scope="module")
def patient(kernel: KernelImage, pool: Pool) -> Iterator[Patient]:
    with pool.boot(MachineSpec(kernel, MEMORY, append="frames=pair")) as guest:
        assert guest.run_until_ready().kind is EndingKind.READY
        held = [two_free_blocks(guest, zone) for zone in ("dma", "normal", "high")]
        guest.pause()
        yield Patient(guest, Surgeon(kernel, guest.ram, guest.registers().cr3 & ~0xFFF), held[1])


def two_free_blocks(guest: Guest, zone: str) -> int:
    """Free every other half of some blocks; return a block that stays held."""
    command = f"alloc {ORDER} {zone}"
    blocks = [guest.monitor.require(command).number("physical") for _ in range(8)]
    halves = [block for block in blocks if block & PAGE << ORDER][:2]
    for block in halves:
        guest.monitor.require(f"free {block:#x} {ORDER}")
    return next(block for block in blocks if block not in halves)


Cut = Callable[[Patient], object]


def node(zone: int, member: str, value: int) -> Cut:
    """Write a member of the node of the first block on a list."""
    return lambda patient: patient.surgeon.write(patient.node(patient.first(zone), member), value)


def counter(zone: int, member: str, amount: int, index: int = 0) -> Cut:
    return lambda patient: patient.surgeon.add(patient.zone(zone, member, index), amount)


def flip(where: Callable[[Patient], tuple[int, int]]) -> Cut:
    def cut(patient: Patient) -> None:
        place, mask = where(patient)
        patient.surgeon.write(place, patient.surgeon.ram.read(place, 1)[0] ^ mask, 1)

    return cut


def pair_of(zone: int, order: int) -> Callable[[Patient], tuple[int, int]]:
    """Return the bit of the pair of the first block on a list."""

    def where(patient: Patient) -> tuple[int, int]:
        base = patient.surgeon.word(patient.zone(zone, "base"))
        return patient.bit(zone, order, (patient.first(zone, order) - base) // PAGE >> order + 1)

    return where


def head(value: Callable[[Patient], int], zone: int = NORMAL, order: int = ORDER) -> Cut:
    return lambda patient: patient.surgeon.write(
        patient.zone(zone, "free_lists", order), value(patient)
    )


def free_twice(patient: Patient) -> None:
    """Put the held block at the front of its list, with all that belongs to a free block."""
    first, surgeon = patient.first(NORMAL), patient.surgeon
    members = {
        "next": first,
        "previous": 0,
        "magic": surgeon.enumerator("BUDDY_MAGIC"),
        "order": ORDER,
    }
    for member, value in members.items():
        surgeon.write(patient.node(patient.held, member), value)
    surgeon.write(patient.node(first, "previous"), patient.held)
    surgeon.write(patient.zone(NORMAL, "free_lists", ORDER), patient.held)
    surgeon.add(patient.zone(NORMAL, "free_blocks", ORDER), 1)
    surgeon.add(patient.zone(NORMAL, "free_frames"), 1 << ORDER)
    flip(pair_of(NORMAL, ORDER))(patient)


def lose_the_last(patient: Patient) -> None:
    """Drop the last block off a list, counters and bit included: it is nobody's then."""
    surgeon, last = patient.surgeon, patient.second(NORMAL)
    while following := surgeon.word(patient.node(last, "next")):
        last = following
    base = surgeon.word(patient.zone(NORMAL, "base"))
    previous = surgeon.word(patient.node(last, "previous"))
    surgeon.write(patient.node(previous, "next"), 0)
    surgeon.add(patient.zone(NORMAL, "free_blocks", ORDER), -1)
    surgeon.add(patient.zone(NORMAL, "free_frames"), -(1 << ORDER))
    flip(lambda one: one.bit(NORMAL, ORDER, (last - base) // PAGE >> ORDER + 1))(patient)


CORRUPTIONS: list[tuple[str, Cut, str]] = [
    ("magic number", node(NORMAL, "magic", 0), "decode.pair"),
    ("magic number in high memory", node(HIGH, "magic", 0xC0FFEE11), "decode.pair"),
    ("order in a node", node(NORMAL, "order", 2), "decode.pair"),
    ("link into nowhere", node(NORMAL, "next", 0xDEADB000), "decode.pair"),
    ("link into a frame", node(HIGH, "next", 0x1234), "decode.pair"),
    ("link beyond RAM", node(DMA, "next", MEMORY), "decode.pair"),
    ("link into a cycle",
     lambda one: one.surgeon.write(one.node(one.second(HIGH), "next"), one.first(HIGH)),
     "decode.pair"),
    ("back link", node(DMA, "previous", 0x2000), "decode.pair"),
    ("list cut short", node(NORMAL, "next", 0), "frames.leaked"),
    ("list emptied", head(lambda _: 0), "frames.leaked"),
    ("head of another zone's list", head(lambda one: one.first(HIGH)), "free-lists.zone"),
    ("head into the image", head(lambda one: one.guest.spec.kernel.image_range().start),
     "frames.free-reserved"),
    ("head to a block that is held", head(lambda one: one.held), "frames.two-owners"),
    ("head to a block not aligned", head(lambda one: one.first(NORMAL) + PAGE),
     "free-lists.alignment"),
    ("a block freed twice, with all records", free_twice, "frames.two-owners"),
    ("a block lost, with all records", lose_the_last, "frames.leaked"),
    ("bit of a pair", flip(pair_of(NORMAL, ORDER)), "pair-map.bit"),
    ("bit of a pair in high memory", flip(pair_of(HIGH, ORDER)), "pair-map.bit"),
    ("bit of a pair that is all allocated", flip(lambda one: one.bit(NORMAL, 0, 0)),
     "pair-map.bit"),
    ("bit of the last pair", flip(lambda one: one.bit(HIGH, 9, 12)), "pair-map.bit"),
    ("managed bit of a free frame", flip(lambda one: one.managed(one.first(NORMAL) // PAGE)),
     "pair-map.unmanaged"),
    ("managed bit of the image", flip(lambda one: one.managed(0x100)), "pair-map.managed"),
    ("managed bit of frame 0", flip(lambda one: one.managed(0)), "pair-map.managed"),
    ("count of free blocks", counter(NORMAL, "free_blocks", 1, ORDER),
     "free-lists.blocks-counter"),
    ("count of free frames", counter(HIGH, "free_frames", -1), "free-lists.frames-counter"),
    ("count of managed frames", counter(DMA, "managed_frames", 1), "free-lists.managed-counter"),
    ("base", counter(NORMAL, "base", PAGE), "pair-map.alignment"),
    ("base in another zone", counter(NORMAL, "base", -0x400000), "pair-map.extent"),
    ("size", counter(HIGH, "size", -PAGE), "pair-map.extent"),
    ("size that no map holds", counter(HIGH, "size", 0x10000000), "decode.pair"),
    ("largest order", lambda one: one.surgeon.write(one.zone(HIGH, "max_order"), 9, 1),
     "pair-map.order"),
    ("largest order that cannot be",
     lambda one: one.surgeon.write(one.zone(HIGH, "max_order"), 200, 1), "decode.pair"),
    ("place of an order's bits", counter(NORMAL, "first_bit", 1 << 30, 4), "decode.pair"),
    ("address of the map", counter(NORMAL, "map", 0x3F000000), "decode.pair"),
    ("length of the map", counter(NORMAL, "map_size", 0x40000000), "decode.pair"),
]  # fmt: skip


def test_the_untouched_guest_is_clean(patient: Patient) -> None:
    assert patient.violations() == ()


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
