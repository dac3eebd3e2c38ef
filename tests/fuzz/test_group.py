"""Groups of findings: one bug gives one, whatever it does on a machine, and two bugs give two."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.check.violation import Violation
from harness.fuzz.attempt import attempt
from harness.fuzz.case import Case
from harness.fuzz.claims import claim
from harness.fuzz.group import group_of, what_stays
from harness.image.kernel_image import KernelImage
from harness.machine.backtrace import Frame
from harness.machine.pool import Pool
from harness.machine.shape import BootInformationShape
from harness.machine.spec import Fill, FillKind, Module
from harness.maps.memory_map import MemoryMap
from harness.maps.region import Region
from harness.workload.operation import Kind, operation
from tests.fuzz.bugs import rounds_the_start_down
from tests.kernel.planted import SourceCopy

MEMORY = 16 << 20
MIB = 1 << 20
PC = MemoryMap((Region(0, 0x9F000, 1), Region(MIB, 15 * MIB, 1)))


def frame(function: str, file: str) -> Frame:
    return Frame(0xC0100000, function, 4, file, 1)


MAIN = (frame("mm_init", "mm/mm.c"), frame("kernel_main", "main.c"))


@pytest.mark.parametrize(
    ("top", "kind", "group"),
    [
        (
            [("panic_end", "lib/panic.c"), ("panic", "lib/panic.c"), ("receive", "buddy.c")],
            "ending.panic",
            "ending.panic in receive, called from mm_init",
        ),
        (
            [("print", "lib/print.c"), ("panic", "lib/panic.c"), ("receive", "buddy.c")],
            "ending.panic",
            "ending.panic in receive, called from mm_init",
        ),
        (
            [("panic_end", "lib/panic.c"), ("handle", "cpu/traps.c"), ("common", "cpu/trap.S")],
            "ending.panic",
            "ending.panic in mm_init, called from kernel_main",
        ),
        (
            [("refuse", "lib/panic.c"), ("map_init", "map.c")],
            "ending.refused",
            "ending.refused in map_init, called from mm_init",
        ),
        (
            [("walk", "map.c"), ("trap_handle", "cpu/traps.c")],
            "ending.triple-fault",
            "ending.triple-fault in walk, called from trap_handle",
        ),
    ],
)
def test_the_functions_that_only_report_an_error_do_not_count(
    top: list[tuple[str, str]], kind: str, group: str
) -> None:
    backtrace = (*(frame(*one) for one in top), *MAIN)
    found = group_of([Violation(kind, "whatever")], backtrace, None, PC)
    assert found == group


def test_a_kernel_that_hangs_is_where_it_is_all_the_time() -> None:
    inner = [frame(name, "map.c") for name in ("probe", "next", "read")]
    looks = [[inner[index % 3], frame("sweep", "map.c"), *MAIN] for index in range(15)]
    looks.append([inner[0], *MAIN])  # in its first instruction
    assert [one.function for one in what_stays(looks)] == ["sweep", "mm_init", "kernel_main"]


def test_words_have_no_numbers_in_them() -> None:
    one, two = (
        Violation(
            "contents.boot-loader", f"module {index}'s string holds {what} where it had {had}"
        )
        for index, what, had in ((0, "5a 5a 07", "00 00 63"), (12, "ff", "0a"))
    )
    assert group_of([one], (), None, PC) == group_of([two], (), None, PC)
    assert group_of([one], (), None, PC) == (
        "contents.boot-loader: module …'s string holds … where it had …"
    )


def test_one_page_and_several_have_the_same_words() -> None:
    words = "mapped in the direct map, but"
    one = f"page at virtual 0xc0000000 is {words} its frame is neither usable RAM nor the image"
    two = f"2 pages at virtual 0x0-0x1fff are {words} their frames are neither usable RAM nor the"
    found = {
        group_of([Violation("paging.extra", text)], (), None, PC) for text in (one, f"{two} image")
    }
    assert found == {
        f"paging.extra: page at virtual … is {words} its frame is neither usable RAM nor the image"
    }


@pytest.mark.parametrize(
    ("entries", "frames", "words"),
    [
        ([Region(0x1800, 0x3000, 1)], range(1, 2), "usable at the end"),
        ([Region(0x1000, 0x1800, 1)], range(2, 3), "usable at the start"),
        ([Region(0x1100, 0x200, 1)], range(1, 2), "usable in the middle"),
        ([Region(0x1000, 0x1000, 0x101)], range(1, 2), "of an unknown type"),
        ([Region(0x1000, 0x1000, 4)], range(1, 2), "of a known type"),
        ([Region(0, 0x2000, 1), Region(0x1000, 0x1000, 2)], range(1, 2), "claimed both as usable"),
        ([Region(0, 0x800, 1), Region(0x800, 0x2000, 4)], range(2), "of a known type"),
        ([], range(7, 8), "in no entry"),
    ],
)
def test_what_a_map_says_of_frames(entries: list[Region], frames: range, words: str) -> None:
    assert claim(MemoryMap(tuple(entries)), frames).startswith(words)


def test_a_forgotten_reservation_is_one_bug_wherever_it_shows(
    source_copy: SourceCopy, pool: Pool
) -> None:
    """Free, given out, written over: in another order with each allocator and each place."""
    wrong = source_copy.plant(
        "boot/multiboot.c",
        'add_range("module", module->start, module->end - module->start);',
        "(void)module;",
    )
    plain = Case(MEMORY, PC, modules=(Module(b"contents" * 1000, "a"), Module(b"other" * 99, "b")))
    low = BootInformationShape(module_addresses=(2 * MIB, 0x5000))
    near = BootInformationShape(module_addresses=(wrong.image_range().stop + 0x1000, None))
    cases = [
        replace(plain, append=words, shape=shape)
        for words in ("", "frames=pmm", "frames=pair", "early=memblock heap=malloc")
        for shape in (BootInformationShape(), low, near)
    ]
    found = [attempt(case, wrong, pool) for case in cases]
    assert {one.group for one in found} == {"frames.free-reserved: the boot loader's module …"}
    assert len({one.violations[0].kind for one in found}) > 1


def test_two_bugs_in_one_function_are_two_groups(source_copy: SourceCopy, pool: Pool) -> None:
    rounds_up = source_copy.plant(
        "mm/firmware_map.c",
        "pfn_t frames = first_up < last ? last - first_up : 0;",
        "pfn_t frames = first_up < last_up ? last_up - first_up : 0;",
    )
    odd = MemoryMap((*PC.entries[:1], Region(MIB, 6 * MIB, 1), Region(8 * MIB + 9, MIB + 99, 1)))
    groups = {
        attempt(Case(MEMORY, odd, fill=Fill(FillKind.ZERO)), kernel, pool).group
        for kernel in (rounds_the_start_down(source_copy), rounds_up)
    }
    assert groups == {
        "firmware-map.extra: usable at the end",
        "firmware-map.extra: usable at the start",
    }


def test_a_panic_in_a_tape_is_told_by_its_function(source_copy: SourceCopy, pool: Pool) -> None:
    wrong: KernelImage = source_copy.plant(
        "mm/frames/buddy.c",
        "    zone->allocations++;",
        "    zone->allocations++;\n    ASSERT(order != 3);",
    )
    steps = (operation(Kind.FRAMES_ALLOC, slot=1, size=8),)
    group = attempt(Case(MEMORY, PC, steps=steps), wrong, pool).group
    assert group == "ending.panic in buddy_alloc, called from get_free_pages"
