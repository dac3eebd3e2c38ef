"""One wrong thing written into the slabs and blocks of a guest: each is reported as what it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from harness.check.inspect import inspect_guest
from harness.image.kernel_image import KernelImage
from harness.machine.ending import EndingKind
from harness.machine.guest import Guest
from harness.machine.pool import Pool
from harness.machine.spec import MachineSpec
from tests.check.surgeon import PAGE, Surgeon

MEMORY = 16 << 20
BASE = 0xC0000000
OBJECTS = 5
"""Live objects in the plain cache: a slab has seven."""


@dataclass
class Patient:
    """A paused guest with a plain cache, a debug one, and large blocks. Addresses are physical."""

    guest: Guest
    surgeon: Surgeon
    cache: int
    """The plain cache's record."""
    objects: list[int]
    """Its live objects, then its two free ones."""
    guarded: list[int]
    """A live and a free object of 20 bytes in the debug cache."""
    block: int
    """The header of a large block of 10,000 bytes."""

    def kinds(self) -> set[str]:
        """Decode and check the guest as it is now."""
        return {violation.kind for violation in inspect_guest(self.guest).violations}

    def header(self, *path: str) -> int:
        """Return where a member of the plain cache's slab's header is."""
        end = self.objects[0] // PAGE * PAGE + PAGE
        return end - self.surgeon.size("struct slab") + self.surgeon.member("struct slab", *path)

    def record(self, *path: str) -> int:
        return self.cache + self.surgeon.member("struct slab_cache", *path)

    def large(self, *path: str) -> int:
        return self.block + self.surgeon.member("struct large_block", *path)


def objects(guest: Guest, name: str, live: int, free: int) -> list[int]:
    """Return the physical addresses of so many live and then free objects of a cache."""
    monitor = guest.monitor
    found = [monitor.require(f"slab alloc {name}").number("virtual") for _ in range(live + free)]
    for address in reversed(found[live:]):
        monitor.require(f"slab free {name} {address:#x}")
    return [address - BASE for address in found]


@pytest.fixture(scope="module")
def patient(kernel: KernelImage, pool: Pool) -> Iterator[Patient]:
    with pool.boot(MachineSpec(kernel, MEMORY, append="heap=malloc")) as guest:
        assert guest.run_until_ready().kind is EndingKind.READY
        require = guest.monitor.require
        cache = require("slab create plain 512").number("cache") - BASE
        require("slab create guarded 20 debug")
        plain = objects(guest, "plain", OBJECTS, 2)
        guarded = objects(guest, "guarded", 1, 1)
        block = require("heap alloc 10000").number("virtual") - BASE
        require("heap alloc 600")
        require("heap alloc 100")
        guest.pause()
        surgeon = Surgeon(kernel, guest.ram, guest.registers().cr3 & ~0xFFF)
        header = block - surgeon.size("struct large_block")
        yield Patient(guest, surgeon, cache, plain, guarded, header)


def test_the_untouched_guest_is_clean(patient: Patient) -> None:
    assert patient.kinds() == set()


Cut = Callable[[Patient], object]


def put(where: Callable[[Patient], int], value: int, size: int = 4) -> Cut:
    return lambda patient: patient.surgeon.write(where(patient), value, size)


def add(where: Callable[[Patient], int], amount: int = 1) -> Cut:
    return lambda patient: patient.surgeon.add(where(patient), amount)


def header(*path: str) -> Callable[[Patient], int]:
    return lambda patient: patient.header(*path)


def record(*path: str) -> Callable[[Patient], int]:
    return lambda patient: patient.record(*path)


def large(*path: str) -> Callable[[Patient], int]:
    return lambda patient: patient.large(*path)


def free_object(index: int) -> Callable[[Patient], int]:
    return lambda patient: patient.objects[OBJECTS + index]


def link(to: Callable[[Patient], int]) -> Cut:
    """Let the last free object's link lead somewhere."""
    return lambda patient: patient.surgeon.write(patient.objects[OBJECTS + 1], BASE + to(patient))


def guarded(index: int, offset: int) -> Callable[[Patient], int]:
    return lambda patient: patient.guarded[index] + offset


def flip_state(index: int) -> Cut:
    """Flip the bit of one object in the plain slab's header."""

    def cut(patient: Patient) -> None:
        where = patient.header("state")
        patient.surgeon.write(where, patient.surgeon.word(where) ^ 1 << index)

    return cut


def to_full(patient: Patient) -> None:
    """Take the slab off the partial list, and put it onto the full one."""
    surgeon = patient.surgeon
    node = BASE + patient.header("list")
    full = BASE + patient.record("full")
    partial = BASE + patient.record("partial")
    for where in (patient.record("partial", "next"), patient.record("partial", "previous")):
        surgeon.write(where, partial)
    for where in (patient.record("full", "next"), patient.record("full", "previous")):
        surgeon.write(where, node)
    surgeon.write(patient.header("list", "next"), full)
    surgeon.write(patient.header("list", "previous"), full)


def large_counter(member: str) -> Callable[[Patient], int]:
    return lambda patient: (
        patient.surgeon.variable("malloc_statistics")
        + patient.surgeon.member("struct malloc_statistics", member)
    )


CORRUPTIONS: list[tuple[str, Cut, str]] = [
    ("a slab's mark", add(header("magic")), "slab.header"),
    ("a slab's cache", add(header("cache"), 4), "slab.cache"),
    ("a slab's count", add(header("in_use")), "slab.in-use"),
    ("a partial slab on the full list", to_full, "slab.list"),
    ("a live object that the header calls free", flip_state(0), "slab.lost"),
    ("a free object that the header calls live", flip_state(OBJECTS), "slab.live-and-free"),
    ("a free list that is cut short", put(header("free"), 0), "slab.lost"),
    ("a free list that ends in a live object", link(lambda p: p.objects[0]), "slab.live-and-free"),
    ("a free list that leads into itself", link(free_object(0)), "decode.slab"),
    ("a free list that leads between objects", link(lambda p: p.objects[1] + 8), "decode.slab"),
    ("a free list that leads out of the page", link(lambda p: p.block), "decode.slab"),
    ("a link that is no pointer", put(free_object(1), 0x41414141), "decode.slab"),
    ("a slab list that leads nowhere", put(header("list", "next"), 0x41414141), "decode.slab"),
    ("a slab list that leads back", lambda p: p.surgeon.write(
        p.header("list", "previous"), 0xC0100000), "decode.slab"),
    ("a list head that is no pointer", put(record("partial", "next"), 2), "decode.slab"),
    ("a slab where no header can be", lambda p: p.surgeon.write(
        p.record("empty", "next"), BASE + p.objects[0]), "decode.slab"),
    ("a slab on two lists", lambda p: p.surgeon.write(
        p.record("empty", "next"), BASE + p.header("list")), "slab.shared"),
    ("a cache's count of objects", add(record("live")), "slab.counter"),
    ("a cache's count of slabs", add(record("slabs")), "slab.counter"),
    ("a size beyond the pitch", put(record("size"), 513), "decode.slab"),
    ("a pitch of nothing", put(record("pitch"), 0), "decode.slab"),
    ("a capacity into the header", put(record("capacity"), 8), "decode.slab"),
    ("a capacity beyond everything", put(record("capacity"), 0xFFFFFFFF), "decode.slab"),
    ("a first object behind the page", put(record("first"), 0x7FFFFFFF), "decode.slab"),
    ("a link behind its slot", put(record("bufctl"), 0xFFFFFFF0), "decode.slab"),
    ("a byte before an object", put(guarded(0, -1), 0, 1), "slab.red-zone"),
    ("a byte behind an object", put(guarded(0, 20), 0x41, 1), "slab.red-zone"),
    ("a byte behind a free object", put(guarded(1, 27), 0x41, 1), "slab.red-zone"),
    ("a byte of a free object", put(guarded(1, 19), 0x41, 1), "slab.poison"),
    ("a large block's mark", add(large("magic")), "large-block.header"),
    ("a large block's size", put(large("size"), 0x10000), "large-block.size"),
    ("a large block of no bytes", put(large("size"), 0), "large-block.size"),
    ("a large block's pages", put(large("pages"), 1), "large-block.size"),
    ("pages beyond the block", put(large("pages"), 5), "frames.two-owners"),
    ("pages beyond everything", put(large("pages"), 0xFFFFFFFF), "large-block.counter"),
    ("a list of blocks that leads nowhere", put(large("list", "next"), 0x7FFFFFFC),
     "decode.malloc"),
    ("a list of blocks that leads into an object", lambda p: p.surgeon.write(
        p.large("list", "next"), BASE + p.objects[0]), "decode.malloc"),
    ("a header in the middle of a page", lambda p: p.surgeon.write(
        p.large("list", "next"), BASE + p.objects[0]), "large-block.alignment"),
    ("pages beyond RAM", put(large("pages"), 0x2000), "large-block.frames"),
    ("the count of large blocks", add(large_counter("large_blocks")), "large-block.counter"),
    ("the bytes of large blocks", add(large_counter("large_bytes")), "large-block.counter"),
    ("the pages of large blocks", add(large_counter("large_pages")), "large-block.counter"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("cut", "kind"), [row[1:] for row in CORRUPTIONS], ids=[row[0] for row in CORRUPTIONS]
)
def test_each_corruption_is_reported(patient: Patient, cut: Cut, kind: str) -> None:
    try:
        cut(patient)
        assert kind in patient.kinds()
    finally:
        patient.surgeon.heal()
    assert patient.kinds() == set()


def test_a_slab_s_frame_belongs_to_it_alone(patient: Patient) -> None:
    """A large block that reaches over slabs, and a frame table that forgets one."""
    surgeon = patient.surgeon
    try:
        surgeon.flip_flag(patient.objects[0] // PAGE, "PAGE_SLAB")
        assert "frame-table.owner" in patient.kinds()
    finally:
        surgeon.heal()


def test_a_red_zone_is_told_to_the_byte(patient: Patient) -> None:
    try:
        patient.surgeon.write(patient.guarded[0] + 21, 0x41, 1)
        [found] = inspect_guest(patient.guest).violations
    finally:
        patient.surgeon.heal()
    assert found.address == BASE + patient.guarded[0] + 21
    assert found.message == (
        f"byte 1 behind the object at virtual {BASE + patient.guarded[0]:#x} of cache guarded is "
        "0x41, where the red zone has 0xbb"
    )
