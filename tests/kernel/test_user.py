"""User regions: what the interface promises, page by page, and what the CPU then sees."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import pytest

from harness.image.kernel_image import KernelImage
from harness.machine.ending import EndingKind
from harness.machine.pool import Pool
from harness.machine.spec import MachineSpec
from harness.workload.operation import FAULT, Kind, operation, operations
from harness.workload.tape import Tape, tape_module
from tests.check.surgeon import Surgeon
from tests.kernel.layouts import both_layouts
from tests.kernel.session import MIB, PAGE, Session, booted, page_fault

PTE_WRITABLE = 1 << 1
CPU_WP = 1 << 1
"""Of ``features`` in kernel/cpu/features.c: the CPU heeds CR0.WP."""

CPUS = [
    pytest.param("qemu32", "", id="invlpg"),
    pytest.param("qemu32", "tlb=full", id="full flush, global pages"),
    pytest.param("qemu32,-pse,-pge", "", id="4 KiB pages only"),
    pytest.param("486", "tlb=full", id="486, full flush"),
]

pytestmark = both_layouts


@pytest.fixture
def small(kernel: KernelImage, pool: Pool) -> Iterator[Session]:
    with booted(kernel, pool, 16 * MIB) as session:
        yield session


def region(session: Session, pages: int) -> int:
    """Make a region and return its start."""
    return session.ok(f"user alloc {pages}").number("virtual")


def read(session: Session, virtual: int) -> int | None:
    """Return the word that the CPU reads, None when it faults."""
    return session.touch(virtual).value


def write(session: Session, virtual: int, value: int) -> None:
    """Write a word as the CPU."""
    assert session.touch(virtual, "write", value).value == value


def frame_of(session: Session, virtual: int) -> int:
    """Return the physical address of the frame behind a page."""
    return session.ok(f"translate {virtual:#x}").number("physical") & -PAGE


def warm(session: Session) -> None:
    """Take the frame of records, which stays for ever."""
    session.ok(f"user free {region(session, 1):#x}")


@pytest.mark.parametrize("pages", [1, 2, 1024, 1025, 100000])
def test_a_region_takes_addresses_and_no_memory(small: Session, pages: int) -> None:
    warm(small)
    before = small.zone()
    start = region(small, pages)
    assert start == small.layout.user.start
    assert small.zone() == before
    listed = small.ok("user list")
    assert (listed.number("regions"), listed.number("pages")) == (1, pages)
    assert listed.number("frames") == 0
    small.assert_sound()


def test_all_of_user_space_can_be_one_region(small: Session) -> None:
    user = small.layout.user
    pages = len(user) // PAGE
    assert small.error(f"user alloc {pages + 1}") == "memory"
    assert region(small, pages) == user.start
    write(small, user.stop - 4, 9)
    assert read(small, user.start) == 0
    assert small.error("user alloc 1") == "memory"
    small.assert_sound()
    small.ok(f"user free {user.start:#x}")
    assert read(small, user.stop - 4) is None


@pytest.mark.parametrize("pages", [0, 0xFFFFF, 0x100000, 0x100001, 0x80000000, 0xFFFFFFFF])
def test_no_pages_and_too_many_are_refused(small: Session, pages: int) -> None:
    assert small.error(f"user alloc {pages}") == "memory"
    assert small.ok("user list").number("regions") == 0


def test_a_region_at_a_given_address(small: Session) -> None:
    user, at = small.layout.user, small.layout.some_user
    small.ok(f"user alloc 4 {at:#x}")
    for pages, start in ((1, at), (1, at + 3 * PAGE), (2, at - PAGE), (9, at - 2 * PAGE)):
        assert small.error(f"user alloc {pages} {start:#x}") == "state"
    for pages, start in (
        *((1, at + 1), (0, at), (1, 0), (1, user.start - PAGE), (1, user.stop)),
        *((2, user.stop - PAGE), (0xFFFFFFFF, at), (0x100000, at), (1, small.layout.areas.start)),
    ):
        assert small.error(f"user alloc {pages} {start:#x}") == "range"
    small.ok(f"user alloc 2 {at - 2 * PAGE:#x}")
    small.ok(f"user alloc 1 {at + 4 * PAGE:#x}")
    small.ok(f"user alloc 1 {user.stop - PAGE:#x}")
    regions = small.assert_sound().state.address_spaces.spaces[0].regions
    expected = {at - 2 * PAGE: 2, at: 4, at + 4 * PAGE: 1, user.stop - PAGE: 1}
    assert {one.start: one.pages for one in regions} == expected


def test_a_read_shows_the_one_page_of_zeros(small: Session) -> None:
    """However many pages are read, only their page table takes memory."""
    start = region(small, 3)
    before = small.zone()
    for offset in (0, PAGE, 2 * PAGE, 3 * PAGE - 4):
        assert read(small, start + offset) == 0
    assert small.zone().free == before.free - 1
    assert len({frame_of(small, start + page * PAGE) for page in range(3)}) == 1
    answer = small.ok(f"translate {start:#x}")
    assert "rw" not in answer.values["flags"].split(",")
    assert small.ok("user list").number("frames") == 0
    small.assert_sound()


def test_a_write_gets_a_zeroed_frame(small: Session) -> None:
    """RAM is poisoned: what was not zeroed shows."""
    start = region(small, 2)
    write(small, start + 0x100, 0x12345678)
    expected = bytearray(PAGE)
    expected[0x100:0x104] = (0x12345678).to_bytes(4, "little")
    found = small.ok(f"sum {start:#x} {PAGE}").number("crc32")
    assert found == zlib.crc32(expected)
    assert small.ok("user list").number("frames") == 1
    assert read(small, start + PAGE) == 0
    small.assert_sound()


@pytest.mark.parametrize(("cpu", "append"), CPUS)
def test_a_write_replaces_the_page_of_zeros(
    kernel: KernelImage, pool: Pool, cpu: str, append: str
) -> None:
    with booted(kernel, pool, cpu=cpu, append=append) as session:
        start = region(session, 2)
        assert (read(session, start), read(session, start + PAGE)) == (0, 0)
        zeros = frame_of(session, start)
        write(session, start + 8, 77)
        assert frame_of(session, start) != zeros == frame_of(session, start + PAGE)
        assert (read(session, start + 8), read(session, start)) == (77, 0)
        assert read(session, start + PAGE + 8) == 0
        assert session.ok(f"peek {frame_of(session, start) + 8:#x}").number("value") == 77
        assert session.ok(f"peek {zeros + 8:#x}").number("value") == 0
        session.assert_sound()


@pytest.mark.parametrize(("cpu", "append"), CPUS)
def test_a_freed_region_is_gone_at_once(
    kernel: KernelImage, pool: Pool, cpu: str, append: str
) -> None:
    """From its first page to its last, for the tables and for the TLB; its frames return."""
    with booted(kernel, pool, cpu=cpu, append=append) as session:
        warm(session)
        before = session.zone()
        start, behind = region(session, 3), region(session, 1)
        for page in range(3):
            write(session, start + page * PAGE, page + 1)
        write(session, behind, 5)
        session.ok(f"user free {start:#x}")
        for page in range(3):
            address = start + page * PAGE
            assert session.touch(address) == page_fault(address)
            assert session.touch(address, "write", 1) == page_fault(address, write=True)
        assert read(session, behind) == 5
        assert region(session, 3) == start
        assert read(session, start + PAGE) == 0
        session.assert_sound()
        session.ok(f"user free {start:#x}")
        session.ok(f"user free {behind:#x}")
        assert session.zone().blocks == before.blocks


def test_freed_range_first_page_does_not_stay_mapped(small: Session) -> None:
    """Nor any other: the next region there maps them all again."""
    for _ in range(2):
        start = region(small, 3)
        for page in range(3):
            write(small, start + page * PAGE, 1)
        small.ok(f"user free {start:#x}")
        spaces = small.assert_sound().state.address_spaces
        assert len(spaces.spaces[0].user.mappings) == 0
        assert len(spaces.spaces[0].user.tables) == 1


@pytest.mark.parametrize("access", ["read", "write"])
def test_outside_regions_a_touch_is_a_fault(small: Session, access: str) -> None:
    start = region(small, 2)
    for address in (start - 4, start + 2 * PAGE, small.layout.some_user):
        answer = small.ok(f"touch {address:#x} {access}")
        assert answer.number("fault") == 14
        assert answer.number("address") == address
        if address in small.layout.user:
            assert answer.values["refusal"] == "region"
    small.assert_sound()


def test_an_unexpected_touch_outside_regions_panics_with_the_address(small: Session) -> None:
    ending = small.panic("crash user-fault")
    assert ending.kind is EndingKind.PANIC
    address = small.layout.user.start
    words = f"page fault at {address:#010x} (write, in no user region), eip "
    assert ending.message.startswith(words)
    assert "crash_user_fault" in [frame.function for frame in ending.backtrace]


def test_an_unexpected_touch_inside_a_region_is_answered(small: Session) -> None:
    start = region(small, 1)
    assert small.error("crash user-fault") == "state"
    assert frame_of(small, start)


def test_without_a_frame_a_touch_is_a_fault(small: Session) -> None:
    """Neither the table nor the page; what could be mapped without either still can."""
    start = region(small, 4)
    assert read(small, start) == 0
    write(small, start + PAGE, 3)
    blocks = small.exhaust("high")
    for offset in (0, 2 * PAGE):
        answer = small.ok(f"touch {start + offset:#x} write 1")
        assert (answer.number("fault"), answer.values["refusal"]) == (14, "memory")
    assert (read(small, start), read(small, start + PAGE)) == (0, 3)
    assert read(small, start + 2 * PAGE) == 0
    far = small.layout.some_user
    small.ok(f"user alloc 1 {far:#x}")
    assert small.ok(f"touch {far:#x} read").values["refusal"] == "memory"
    small.assert_sound()
    small.free_all(blocks)
    write(small, start, 4)
    assert read(small, far) == 0
    small.assert_sound()


def test_without_a_frame_an_unexpected_touch_panics(small: Session) -> None:
    region(small, 1)
    small.exhaust("high")
    ending = small.panic("crash user-fault")
    address = small.layout.user.start
    assert ending.message.startswith(f"page fault at {address:#010x} (write, no frame for it), eip")


def test_one_frame_is_not_enough_for_table_and_page(small: Session) -> None:
    """The page's frame goes back when there is none for the table."""
    start = region(small, 1)
    last = small.alloc(0)
    blocks = small.exhaust("high")
    small.free(last, 0)
    assert small.ok(f"touch {start:#x} write 1").values["refusal"] == "memory"
    assert small.zone().free == 1
    small.assert_sound()
    assert read(small, start) == 0
    small.free_all(blocks)
    small.assert_sound()


def test_without_a_frame_for_records_a_region_is_refused(small: Session) -> None:
    blocks = small.exhaust("high")
    assert small.error("user alloc 1") == "memory"
    assert small.error(f"user alloc 1 {small.layout.some_user:#x}") == "memory"
    small.free_all(blocks)
    region(small, 1)
    small.assert_sound()


def test_more_regions_than_one_page_of_records(small: Session) -> None:
    warm(small)
    before = small.zone()
    starts = [region(small, 1) for _ in range(250)]
    assert starts == [small.layout.user.start + i * PAGE for i in range(250)]
    small.assert_sound()
    for start in starts[::3] + starts[1::3] + starts[2::3]:
        small.ok(f"user free {start:#x}")
    assert small.zone().free == before.free - 1
    small.assert_sound()


@pytest.mark.parametrize("offset", [PAGE, -PAGE, 4, 1, 3 * PAGE])
def test_what_is_no_region_s_start_is_not_freed(small: Session, offset: int) -> None:
    start = region(small, 3)
    ending = small.panic(f"user free {start + offset:#x}")
    assert ending.kind is EndingKind.PANIC
    assert ending.message == f"user: {start + offset:#010x} freed, at which no region begins"


def test_a_region_is_not_freed_twice(small: Session) -> None:
    start = region(small, 1)
    small.ok(f"user free {start:#x}")
    ending = small.panic(f"user free {start:#x}")
    assert ending.message == f"user: {start:#010x} freed, at which no region begins"


def test_pages_of_a_region_are_not_mapped_by_hand(small: Session) -> None:
    start, frame = region(small, 2), small.alloc(0)
    write(small, start, 1)
    for page in (start, start + PAGE):
        assert small.error(f"map {page:#x} {frame:#x} rw") == "state"
        assert small.error(f"unmap {page:#x}") == "state"
        assert small.error(f"protect {page:#x} rw") == "state"
    small.assert_sound()


def test_a_region_leaves_pages_alone_that_were_mapped_by_hand(small: Session) -> None:
    start, frame = small.layout.user.start, small.alloc(0)
    by_hand = start + 2 * PAGE
    small.ok(f"map {by_hand:#x} {frame:#x} rw")
    assert small.error(f"user alloc 3 {start:#x}") == "state"
    assert region(small, 2) == start
    assert region(small, 1) == by_hand + PAGE
    assert region(small, 5000) == by_hand + 2 * PAGE
    small.assert_sound()
    small.ok(f"unmap {by_hand:#x}")
    assert region(small, 1) == by_hand
    small.assert_sound()


def test_protection_of_pages_mapped_by_hand_stays(small: Session) -> None:
    """A read-only page that no region brought into being is not replaced on a write."""
    page, frame = small.layout.some_user, small.alloc(0)
    small.ok(f"map {page:#x} {frame:#x}")
    assert small.ok(f"touch {page:#x} write 1").values["refusal"] == "protection"
    assert frame_of(small, page) == frame


def test_a_page_with_a_frame_of_its_own_is_never_replaced(
    kernel: KernelImage, small: Session
) -> None:
    """A write to it that faults is told of: in another frame the page would be zero again."""
    page = region(small, 1)
    write(small, page, 7)
    frame = frame_of(small, page)
    root = int(small.ok("space list").values["first"].removeprefix("0:"), 16)
    surgeon = Surgeon(kernel, small.guest.ram, root)
    surgeon.write(surgeon.entry(page), surgeon.word(surgeon.entry(page)) & ~PTE_WRITABLE)
    switch_away_and_back(small)
    assert small.ok(f"touch {page:#x} write 8").values["refusal"] == "protection"
    assert frame_of(small, page) == frame
    assert read(small, page) == 7


def switch_away_and_back(session: Session) -> None:
    """Let the CPU forget what it knows of user space."""
    other = session.ok("space create").number("space")
    session.ok(f"space switch {other}")
    session.ok("space switch 0")


def test_a_cpu_without_write_protection_gets_frames_for_reads(
    kernel: KernelImage, pool: Pool
) -> None:
    """There, CR0.WP cannot keep the kernel from writing to the shared page of zeros."""
    with pool.boot(MachineSpec(kernel, 16 * MIB, cpu="486")) as guest:
        guest.stop_before("mm_init")
        features = kernel.symbol("features") - Session(guest).layout.base
        known = int.from_bytes(guest.ram.read(features, 4), "little")
        assert known & CPU_WP
        guest.ram.write(features, (known & ~CPU_WP).to_bytes(4, "little"))
        assert guest.run_until_ready().kind is EndingKind.READY
        session = Session(guest)
        start = region(session, 2)
        assert (read(session, start), read(session, start + PAGE)) == (0, 0)
        assert frame_of(session, start) != frame_of(session, start + PAGE)
        assert session.ok("user list").number("frames") == 2
        write(session, start, 1)
        assert read(session, start + PAGE) == 0
        kinds = {one.kind for one in session.inspect().violations}
        assert kinds == {"paging.write-protect"}


def test_memory_can_be_touched_up_to_its_end_and_recovered(kernel: KernelImage, pool: Pool) -> None:
    """Page by page until the last frame; then every one of them comes back."""
    module = tape_module(kernel, operations=8192, slots=1)
    with booted(kernel, pool, 24 * MIB, modules=(module,)) as session:
        warm(session)
        tape, before = Tape(session.guest), session.zone()
        start = region(session, 8000)
        addresses = [start + page * PAGE for page in range(8000)]
        items = [operation(Kind.TOUCH_WRITE, 0, address, cache=7) for address in addresses]
        values = tape.run(operations(items))["value"]
        given = int((values == 7).sum())
        assert (values[:given] == 7).all()
        assert (values[given:] == FAULT).all()
        tables = len({address >> 22 for address in addresses[:given]})
        assert given + tables == before.free
        assert session.zone().free == 0
        session.assert_sound()
        session.ok(f"user free {start:#x}")
        assert session.zone().blocks == before.blocks
        session.assert_sound()


def test_high_memory_is_used_first(kernel: KernelImage, pool: Pool) -> None:
    with booted(kernel, pool, 1024 * MIB) as session:
        start = region(session, 1)
        write(session, start + 4, 6)
        assert frame_of(session, start) >= 896 * MIB
        assert (read(session, start), read(session, start + 4)) == (0, 6)
        session.assert_sound()


@pytest.mark.parametrize("frames", ["buddy", "pair", "pmm", "bitmap"])
def test_each_frame_allocator_backs_regions(kernel: KernelImage, pool: Pool, frames: str) -> None:
    with booted(kernel, pool, append=f"frames={frames}") as session:
        start = region(session, 5)
        assert read(session, start) == 0
        for page in range(5):
            write(session, start + page * PAGE, page + 1)
        session.assert_sound()
        session.ok(f"user free {start:#x}")
        session.assert_sound()
