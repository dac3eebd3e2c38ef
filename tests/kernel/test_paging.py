"""Address space: what the monitor's commands promise, and what the CPU then does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness.check.verify import verify
from harness.image.kernel_image import KernelImage
from harness.machine.pool import Pool
from harness.machine.spec import MachineSpec
from tests.kernel.layouts import Layout, both_layouts
from tests.kernel.session import MIB, PAGE, Session, Touch, booted, page_fault

LARGE = 4 * MIB
WITHIN_TABLE = 4 * LARGE + PAGE
"""From a multiple of 4 MiB on: neither the first nor the last page of a table."""
RET = 0xC3
"""The opcode of a near return: Intel SDM volume 2, RET."""

pytestmark = both_layouts

CPUS = [
    pytest.param("qemu32", "", id="invlpg"),
    pytest.param("qemu32", "tlb=full", id="full flush, global pages"),
    pytest.param("qemu32,-pge", "tlb=full", id="full flush"),
    pytest.param("qemu32,-pse,-pge", "", id="4 KiB pages only"),
    pytest.param("486", "", id="486"),
    pytest.param("486,-pse", "tlb=full", id="486, full flush"),
    pytest.param("pentium3", "", id="pentium3"),
]


@pytest.fixture
def small(kernel: KernelImage, pool: Pool) -> Iterator[Session]:
    with booted(kernel, pool, 16 * MIB) as session:
        yield session


def refused(session: Session, command: str) -> str:
    """Give a command that must fail and change nothing."""
    before = session.zone()
    code = session.error(command)
    assert session.zone() == before
    return code


def user_pages(layout: Layout) -> list[int]:
    """Return pages at borders: of user space, of page tables, and where signs change."""
    some, end = layout.some_user, layout.user.stop
    return [layout.user.start, some - PAGE, some, some + 2 * LARGE, 0x80000000, end - PAGE]


def test_a_page_of_user_space_can_be_mapped_anywhere(small: Session) -> None:
    before = small.zone()
    for virtual in user_pages(small.layout):
        frame = small.alloc(0, "zero")
        small.ok(f"map {virtual:#x} {frame:#x} rw user")
        answer = small.ok(f"translate {virtual + 0x123:#x}")
        assert answer.number("physical") == frame + 0x123
        assert answer.values["flags"] == "rw,user"
        assert small.touch(virtual + PAGE - 4, "write", 0xDEADBEEF).vector is None
        assert small.ok(f"peek {frame + PAGE - 4:#x}").number("value") == 0xDEADBEEF
        assert small.zone().free == before.free - 2
        small.assert_sound()
        assert small.ok(f"unmap {virtual:#x}").number("physical") == frame
        small.free(frame, 0)
        assert small.zone().blocks == before.blocks
    small.assert_sound()


def no_user_pages(layout: Layout) -> list[int]:
    """Return the pages around user space and in the kernel's parts, and what is no page."""
    return [
        *(0, 0xFFF, layout.some_user + 1, layout.user.start - PAGE, layout.user.stop),
        *(layout.base, layout.base + MIB, layout.direct_map.stop),
        *(layout.areas.start, layout.window, 0xFFFFF000),
    ]


@pytest.mark.parametrize("command", ["map {:#x} 0x400000 rw", "unmap {:#x}", "protect {:#x} rw"])
def test_what_is_no_page_of_user_space_is_refused(small: Session, command: str) -> None:
    for virtual in no_user_pages(small.layout):
        assert refused(small, command.format(virtual)) == "range", hex(virtual)
    small.assert_sound()


def test_a_page_maps_whole_frames_only(small: Session) -> None:
    assert refused(small, f"map {small.layout.some_user:#x} 0x400001 rw") == "range"


def test_a_mapped_page_is_not_mapped_again(small: Session) -> None:
    page = small.layout.some_user
    first, second = small.alloc(0), small.alloc(0)
    small.ok(f"map {page:#x} {first:#x} rw")
    assert refused(small, f"map {page:#x} {second:#x} rw") == "state"
    assert small.ok(f"translate {page:#x}").number("physical") == first


def test_an_unmapped_page_is_not_unmapped_again(small: Session) -> None:
    page = small.layout.some_user
    absent = [f"unmap {page:#x}", f"protect {page:#x} rw", f"translate {page:#x}"]
    frame = small.alloc(0)
    for command in absent:
        assert refused(small, command) == "state"
    small.ok(f"map {page + PAGE:#x} {frame:#x}")
    for command in absent:
        assert refused(small, command) == "state"
    small.assert_sound()


def test_a_page_table_lives_as_long_as_its_pages(small: Session) -> None:
    first = small.layout.some_user
    last, other = first + LARGE - PAGE, first + LARGE
    frame = small.alloc(0)
    free = small.zone().free
    small.ok(f"map {first:#x} {frame:#x}")
    small.ok(f"map {last:#x} {frame:#x}")
    assert small.zone().free == free - 1
    small.ok(f"map {other:#x} {frame:#x}")
    assert small.zone().free == free - 2
    small.ok(f"unmap {first:#x}")
    assert small.zone().free == free - 2
    small.ok(f"unmap {last:#x}")
    assert small.zone().free == free - 1
    assert small.touch(other).vector is None
    small.ok(f"unmap {other:#x}")
    assert small.zone().free == free
    small.assert_sound()


def test_without_a_frame_for_its_table_a_page_is_refused(small: Session) -> None:
    page = small.layout.some_user
    frame = small.alloc(0)
    blocks = small.exhaust()
    assert refused(small, f"map {page:#x} {frame:#x} rw") == "memory"
    assert small.touch(page) == page_fault(page)
    small.free_all(blocks)
    small.ok(f"map {page:#x} {frame:#x} rw")
    small.assert_sound()


def test_a_new_table_has_no_garbage(small: Session) -> None:
    """In a poisoned guest each word of a table that was not zeroed is a present entry."""
    page = small.layout.some_user + WITHIN_TABLE
    frame = small.alloc(0)
    small.ok(f"map {page:#x} {frame:#x}")
    for neighbour in (page - PAGE, page + PAGE, page + LARGE - 2 * PAGE):
        assert small.touch(neighbour) == page_fault(neighbour)


@pytest.mark.parametrize(("cpu", "append"), CPUS)
def test_unmapped_memory_faults_at_once(
    kernel: KernelImage, pool: Pool, cpu: str, append: str
) -> None:
    """Another page keeps the table alive: only the TLB could still know the one that went."""
    with booted(kernel, pool, cpu=cpu, append=append) as session:
        page = session.layout.some_user + WITHIN_TABLE
        frame = session.alloc(0)
        session.ok(f"map {page + PAGE:#x} {frame:#x}")
        for flags in ("rw", "rw global"):
            session.ok(f"map {page:#x} {frame:#x} {flags}")
            assert session.touch(page, "write", 1) == Touch(value=1)
            session.ok(f"unmap {page:#x}")
            assert session.touch(page) == page_fault(page)
        session.assert_sound()


@pytest.mark.parametrize(("cpu", "append"), CPUS)
def test_a_protected_page_refuses_writes_at_once(
    kernel: KernelImage, pool: Pool, cpu: str, append: str
) -> None:
    with booted(kernel, pool, cpu=cpu, append=append) as session:
        page = session.layout.some_user + WITHIN_TABLE
        frame = session.alloc(0)
        session.ok(f"map {page:#x} {frame:#x} rw")
        assert session.touch(page, "write", 7).vector is None
        session.ok(f"protect {page:#x}")
        denied = page_fault(page, present=True, write=True)
        assert session.touch(page, "write", 8) == denied
        assert session.touch(page) == Touch(value=7)
        session.ok(f"protect {page:#x} rw")
        assert session.touch(page, "write", 9).vector is None
        session.assert_sound()


@pytest.mark.parametrize(("cpu", "append"), CPUS)
def test_a_page_shows_its_new_frame_at_once(
    kernel: KernelImage, pool: Pool, cpu: str, append: str
) -> None:
    with booted(kernel, pool, cpu=cpu, append=append) as session:
        page = session.layout.some_user + WITHIN_TABLE
        frames = [session.alloc(0) for _ in range(2)]
        for value, frame in enumerate(frames):
            session.ok(f"poke {frame:#x} {value}")
            session.ok(f"map {page:#x} {frame:#x} global")
            assert session.touch(page) == Touch(value=value)
            session.ok(f"unmap {page:#x}")


@pytest.mark.parametrize(("cpu", "append"), CPUS)
@pytest.mark.parametrize("memory", [4 * MIB, 64 * MIB])
def test_each_kind_of_cpu_gets_a_sound_address_space(
    kernel: KernelImage, pool: Pool, cpu: str, append: str, memory: int
) -> None:
    verdict = verify(MachineSpec(kernel, memory, cpu=cpu, append=append), pool)
    assert (verdict.verdict, verdict.violations) == ("good", ())


def test_code_runs_from_a_mapped_page(small: Session) -> None:
    page = small.layout.some_user
    frame = small.alloc(0)
    small.ok(f"poke {frame:#x} {RET:#x}")
    assert small.touch(page, "execute") == page_fault(page)
    small.ok(f"map {page:#x} {frame:#x}")
    assert small.touch(page, "execute").vector is None


def test_the_kernel_runs_in_its_part_of_the_direct_map(kernel: KernelImage, small: Session) -> None:
    """Relative jumps alone would never leave the mapping at 0."""
    image = kernel.image_range()
    placed = range(small.layout.base + image.start, small.layout.base + image.stop)
    small.guest.pause()
    registers = small.guest.registers()
    assert registers.eip in placed
    assert registers.esp in placed


def test_page_0_is_never_mapped(small: Session) -> None:
    """Neither where NULL points nor in the direct map."""
    for address in (0, 4, PAGE - 4):
        assert small.touch(address, "write", 1) == page_fault(address, write=True)
        assert small.touch(small.layout.base + address) == page_fault(small.layout.base + address)


def test_the_boot_stack_has_guards(kernel: KernelImage, small: Session) -> None:
    """Paging makes an overflow a fault, in both directions."""
    low, stack = kernel.symbol("boot_stack_guard_low"), kernel.symbol("boot_stack")
    top, high = kernel.symbol("boot_stack_top"), kernel.symbol("boot_stack_guard_high")
    for address in (low, stack - 4, high, high + PAGE - 4):
        assert small.touch(address) == page_fault(address)
    for address in (stack, top - 4):
        assert small.touch(address).vector is None


def test_what_the_kernel_left_behind_at_boot_is_gone(small: Session) -> None:
    """The boot tables map 8 MiB at 0 for the way to the higher half, whatever is RAM there."""
    inside = [PAGE, MIB, LARGE - PAGE, LARGE, 2 * LARGE - PAGE] if small.layout.base else []
    for address in (*inside, 0xA0000, 0xFF000):
        assert small.touch(address) == page_fault(address)


@pytest.mark.parametrize("cpu", ["qemu32", "486", "qemu32,-pse"])
def test_text_and_constants_are_write_protected(kernel: KernelImage, pool: Pool, cpu: str) -> None:
    with booted(kernel, pool, cpu=cpu) as session:
        for part in ("text", "rodata"):
            start = kernel.symbol(f"kernel_{part}_start")
            for address in (start, kernel.symbol(f"kernel_{part}_end") - 4):
                denied = page_fault(address, present=True, write=True)
                assert session.touch(address, "write", 0) == denied
                assert session.touch(address).vector is None


def test_kernel_pages_are_the_supervisors(small: Session) -> None:
    """A "supervisor" flag with the user bit's value would open every kernel page."""
    small.kmalloc(5000)
    mappings = small.assert_sound().state.page_tables.mappings
    user = small.layout.user
    users = (mappings["virtual"] >= user.start) & (mappings["virtual"] < user.stop)
    assert not users.any()
    assert len(mappings)
    assert not mappings["user"].any()


def test_the_end_of_the_direct_map_is_followed_by_a_hole(kernel: KernelImage, pool: Pool) -> None:
    with booted(kernel, pool, 1024 * MIB) as session:
        assert session.touch(session.layout.direct_map.stop - 4).vector is None
        for hole in session.layout.holes:
            for address in (hole.start, hole.stop - 4):
                assert session.touch(address) == page_fault(address)


def test_direct_map_does_not_overlap_heap_at_1_gib(kernel: KernelImage, pool: Pool) -> None:
    """Nor at 896 MiB, where it is longest."""
    for memory in (896 * MIB, 1024 * MIB):
        with booted(kernel, pool, memory) as session:
            top = session.layout.direct_map.stop - PAGE
            before = session.ok(f"translate {top:#x}").text
            block = session.kmalloc(MIB)
            session.ok(f"fill {block:#x} {MIB} 0x5a")
            assert session.ok(f"translate {top:#x}").text == before
            session.assert_sound()


@pytest.mark.parametrize("memory", [8 * MIB + 64 * 1024, 9 * MIB, 12 * MIB, 255 * MIB])
def test_more_than_8_mib_are_used(kernel: KernelImage, pool: Pool, memory: int) -> None:
    """Records kept behind physical addresses fault beyond what the boot tables map."""
    with booted(kernel, pool, memory) as session:
        blocks = session.exhaust("high")
        assert max(block + (PAGE << order) for block, order in blocks) == memory
        session.free_all(blocks)
        session.assert_sound()


@pytest.mark.parametrize("cpu", ["qemu32", "qemu32,-pse", "486"])
def test_the_direct_map_is_one_to_one(kernel: KernelImage, pool: Pool, cpu: str) -> None:
    """By the kernel's own walk, by QEMU's and by what is read there."""
    with booted(kernel, pool, 32 * MIB, cpu=cpu) as session:
        for physical in (PAGE, 0x9E123, 2 * MIB + 0x345, 8 * MIB, 12 * MIB + 0xABC, 32 * MIB - 4):
            virtual = session.layout.base + physical
            assert session.ok(f"translate {virtual:#x}").number("physical") == physical
            assert session.guest.translate(virtual) == physical
            word = physical & ~3
            seen = session.touch(session.layout.base + word).value
            assert seen == session.ok(f"peek {word:#x}").number("value")


def test_high_memory_is_reached_through_a_mapping(kernel: KernelImage, pool: Pool) -> None:
    with booted(kernel, pool, 1024 * MIB) as session:
        page = session.layout.some_user
        frame = session.alloc(0, "high", "zero")
        assert frame >= 896 * MIB
        session.ok(f"map {page:#x} {frame:#x} rw")
        assert session.touch(page + 0xFFC, "write", 0xCAFE).vector is None
        assert session.ok(f"peek {frame + 0xFFC:#x}").number("value") == 0xCAFE
        session.assert_sound()
