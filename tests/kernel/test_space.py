"""Address spaces: isolation of what is the users', one kernel part for all."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest

from harness.image.kernel_image import KernelImage
from harness.machine.ending import EndingKind
from harness.machine.pool import Pool
from harness.workload.operation import FAULT, Kind, operation, operations
from harness.workload.tape import Tape, tape_module
from tests.kernel.layouts import both_layouts
from tests.kernel.session import MIB, PAGE, Session, booted, page_fault

CPUS = [
    pytest.param("qemu32", "", id="invlpg"),
    pytest.param("qemu32", "tlb=full", id="full flush, global pages"),
    pytest.param("qemu32,-pge", "", id="no global pages"),
    pytest.param("486", "", id="486"),
]

pytestmark = both_layouts


@pytest.fixture
def small(kernel: KernelImage, pool: Pool) -> Iterator[Session]:
    with booted(kernel, pool, 16 * MIB) as session:
        yield session


def create(session: Session) -> int:
    """Make an address space and return its number."""
    return session.ok("space create").number("space")


def switch(session: Session, number: int) -> None:
    """Make an address space the current one."""
    session.ok(f"space switch {number}")


def warm(session: Session) -> None:
    """Take the frames of records, which stay for ever."""
    session.ok(f"space destroy {create(session)}")
    session.ok(f"user free {session.ok('user alloc 1').number('virtual'):#x}")


def test_the_kernel_boots_into_space_0(small: Session) -> None:
    answer = small.ok("space list")
    assert (answer.number("spaces"), answer.number("current")) == (1, 0)
    small.guest.pause()
    assert answer.values["first"] == f"0:{small.guest.registers().cr3:#010x}"


def test_a_space_takes_its_directory_and_gives_it_back(small: Session) -> None:
    warm(small)
    before = small.zone()
    numbers = [create(small) for _ in range(3)]
    assert numbers == [2, 3, 4]
    assert small.zone().free == before.free - 3
    small.assert_sound()
    for number in (3, 2, 4):
        small.ok(f"space destroy {number}")
    assert small.zone().blocks == before.blocks
    assert create(small) == 5
    small.assert_sound()


def test_a_new_space_has_no_pages_of_another(small: Session) -> None:
    """Not even where the page table for them is there when the space is made."""
    start = small.ok("user alloc 2").number("virtual")
    small.ok(f"touch {start:#x} write 7")
    number = create(small)
    small.assert_sound()
    switch(small, number)
    assert small.ok(f"touch {start:#x} read").values["refusal"] == "region"
    small.assert_sound()


@pytest.mark.slow
def test_records_of_spaces_and_regions_are_used_again(small: Session) -> None:
    """More of them one after another than a frame has records take no frame."""
    warm(small)
    before = small.zone()
    for _ in range(200):
        small.ok(f"space destroy {create(small)}")
        small.ok(f"user free {small.ok('user alloc 1').number('virtual'):#x}")
    assert small.zone().blocks == before.blocks
    small.assert_sound()


@pytest.mark.parametrize(("cpu", "append"), CPUS)
def test_one_address_shows_each_space_its_own_page(
    kernel: KernelImage, pool: Pool, cpu: str, append: str
) -> None:
    with booted(kernel, pool, cpu=cpu, append=append) as session:
        numbers = [0, create(session), create(session)]
        page = session.layout.user.start
        for number in numbers:
            switch(session, number)
            assert session.touch(page) == page_fault(page)
            assert session.ok("user alloc 2").number("virtual") == page
            assert session.touch(page).value == 0
            session.touch(page, "write", number + 10)
        for number in (*numbers, *numbers[::-1]):
            switch(session, number)
            assert session.touch(page).value == number + 10
            assert session.touch(page + PAGE).value == 0
        session.assert_sound()


@pytest.mark.parametrize(("cpu", "append"), CPUS)
def test_a_global_page_of_one_space_is_not_seen_in_another(
    kernel: KernelImage, pool: Pool, cpu: str, append: str
) -> None:
    """A change of CR3 alone does not forget it (SDM volume 3, 4.10.4.1)."""
    with booted(kernel, pool, cpu=cpu, append=append) as session:
        page, frame, other = session.layout.some_user, session.alloc(0), create(session)
        session.ok(f"map {page:#x} {frame:#x} rw global")
        session.touch(page, "write", 5)
        switch(session, other)
        assert session.touch(page) == page_fault(page)
        switch(session, 0)
        assert session.touch(page).value == 5


def test_the_kernel_s_new_pages_appear_in_every_space(small: Session) -> None:
    """Page tables too that come into being, or go, while another space is current."""
    first = create(small)
    block = small.kmalloc(100)
    small.touch(block, "write", 1)
    switch(small, first)
    assert small.touch(block).value == 1
    far = small.kmalloc(5 * MIB)
    small.touch(far + 5 * MIB - 4 & ~3, "write", 2)
    second = create(small)
    for number in (0, second, first):
        switch(small, number)
        assert small.touch(far + 5 * MIB - 4 & ~3).value == 2
        small.assert_sound()
    small.ok(f"kfree {far:#x}")
    small.ok(f"kfree {block:#x}")
    for number in (0, second, first):
        switch(small, number)
        assert small.touch(block) == page_fault(block)
        small.assert_sound()


def test_a_destroyed_space_gives_all_back(small: Session) -> None:
    """Frames and tables of touched regions; but not frames that somebody mapped by hand."""
    warm(small)
    held, before = small.alloc(0), small.zone()
    number = create(small)
    small.ok(f"space map {number} {small.layout.some_user + 64 * PAGE:#x} {held:#x} rw")
    switch(small, number)
    start = small.ok("user alloc 3000").number("virtual")
    for page in (0, 1, 1500, 2999):
        small.touch(start + page * PAGE, "write", 1)
    small.touch(start + 2 * PAGE)
    small.ok(f"user alloc 8 {small.layout.user.stop - 8 * PAGE:#x}")
    small.touch(small.layout.user.stop - 4, "write", 1)
    switch(small, 0)
    small.assert_sound()
    small.ok(f"space destroy {number}")
    assert small.zone().free == before.free
    small.assert_sound()
    small.free(held, 0)


def test_pages_are_mapped_by_hand_in_any_space(small: Session) -> None:
    page, frame, number = small.layout.some_user, small.alloc(0), create(small)
    small.ok(f"poke {frame:#x} 0x55")
    small.ok(f"space map {number} {page:#x} {frame:#x} rw")
    assert small.touch(page) == page_fault(page)
    assert small.error(f"space map {number} {page:#x} {frame:#x}") == "state"
    assert small.error(f"space map {number} {small.layout.areas.start:#x} {frame:#x}") == "range"
    switch(small, number)
    assert small.touch(page).value == 0x55
    switch(small, 0)
    small.ok(f"space unmap {number} {page:#x}")
    assert small.error(f"space unmap {number} {page:#x}") == "state"
    small.assert_sound()


@pytest.mark.parametrize(("command", "code"), [
    ("space switch 7", "state"),
    ("space destroy 7", "state"),
    ("space map 7 0x400000 0x400000", "state"),
    ("space unmap 7 0x400000", "state"),
    ("space switch x", "usage"),
    ("space", "usage"),
    ("space create 1", "usage"),
    ("space switch", "usage"),
    ("space map 0", "usage"),
    ("space unmap 0", "usage"),
    ("space nothing 0", "usage"),
])  # fmt: skip
def test_what_makes_no_sense_is_refused(small: Session, command: str, code: str) -> None:
    assert small.error(command) == code
    small.assert_sound()


def test_the_current_space_is_not_destroyed(small: Session) -> None:
    number = create(small)
    switch(small, number)
    ending = small.panic(f"space destroy {number}")
    assert ending.kind is EndingKind.PANIC
    assert ending.message == f"space: {number} destroyed, which is the current one"


def test_the_kernel_s_space_is_not_destroyed(small: Session) -> None:
    switch(small, create(small))
    ending = small.panic("space destroy 0")
    assert ending.message == "space: the kernel's own address space destroyed"


def test_a_double_fault_is_reported_in_another_space(small: Session) -> None:
    """Its task has a CR3 of its own, which must follow."""
    old = small.zone().free
    number = create(small)
    switch(small, number)
    assert small.zone().free < old
    ending = small.panic("crash overflow")
    assert ending.kind is EndingKind.PANIC
    assert ending.message.startswith("double fault: stack overflow at ")


def test_without_a_frame_no_space_is_made(small: Session) -> None:
    """Neither for the record, nor with one for its directory."""
    blocks = small.exhaust("high")
    assert small.error("space create") == "memory"
    small.free_all(blocks)
    warm(small)
    last = small.alloc(0)
    blocks = small.exhaust("high")
    assert small.error("space create") == "memory"
    small.free(last, 0)
    number = create(small)
    assert small.zone().free == 0
    small.assert_sound()
    small.ok(f"space destroy {number}")
    small.free_all(blocks)
    small.assert_sound()


def test_spaces_can_use_memory_up_and_give_it_back(kernel: KernelImage, pool: Pool) -> None:
    """Some hundred spaces, each with a page of its own at the same address."""
    module = tape_module(kernel, operations=4096, slots=1024)
    with booted(kernel, pool, 4 * MIB, modules=(module,)) as session:
        warm(session)
        tape, before = Tape(session.guest), session.zone()
        page = session.layout.user.start
        life = [
            one
            for slot in range(300)
            for one in (
                operation(Kind.SPACE_CREATE, slot),
                operation(Kind.SPACE_SWITCH, slot),
                operation(Kind.USER_ALLOC, 512 + slot, 1),
                operation(Kind.TOUCH_WRITE, 0, page, cache=slot + 1),
            )
        ]
        written = tape.run(operations(life))["value"][3::4]
        made = int((written != FAULT).sum())
        assert 100 < made < 300
        assert written[:made].tolist() == list(range(1, made + 1))
        session.assert_sound()
        look = [
            one
            for slot in range(made)
            for one in (operation(Kind.SPACE_SWITCH, slot), operation(Kind.TOUCH_READ, 0, page))
        ]
        assert tape.run(operations(look))["value"][1::2].tolist() == list(range(1, made + 1))
        home = operation(Kind.SPACE_SWITCH, 1023)
        end = [home, *(operation(Kind.SPACE_DESTROY, slot) for slot in range(300))]
        tape.run(operations(end))
        records = [one for one in session.assert_sound().state.metadata if one.owner]
        kept = sum(len(area) for one in records for area in one.storage) // PAGE
        assert session.zone().free == before.free - (kept - 3)


def test_kernel_pages_are_closed_to_users_in_every_space(small: Session) -> None:
    """A "supervisor" flag with the user bit's value would open the kernel's pages."""
    number = create(small)
    switch(small, number)
    small.kmalloc(5000)
    small.ok("user alloc 1")
    small.touch(small.layout.user.start, "write", 1)
    mappings = small.assert_sound().state.page_tables.mappings
    of_user = [int(one["virtual"]) in small.layout.user for one in mappings]
    assert mappings["user"].tolist() == of_user
    assert (mappings["entry"] >> 2 & 1).tolist() == of_user


def test_direct_map_does_not_overlap_the_heap_window_or_user_space(small: Session) -> None:
    """In the table that code and decoders share, as in the drawing of the layout."""
    layout = small.layout
    parts = small.assert_sound().state.address_spaces.map
    assert {part.name: range(part.start, part.end) for part in parts} == {
        "user space": layout.user,
        "direct map": layout.direct_map[PAGE:],
        "kernel areas": layout.areas,
        "window": range(layout.window, layout.window + 4 * MIB),
    }
    assert [part.name for part in parts if part.user] == ["user space"]
    ends = sorted((part.start, part.end) for part in parts)
    assert all(low[1] <= high[0] for low, high in pairwise(ends))
