"""Bitmaps, heaps and metadata, sound and broken."""

from __future__ import annotations

import pytest

from harness.decode.belief.frames import Bitmap, Bump, BumpRange
from harness.decode.belief.heaps import Heap, Magic
from harness.decode.decode import decode
from harness.decode.state import MemoryState
from tests.decode.conftest import Loader
from tests.decode.memory import UNPAGED, Loaded

SOURCE = """
struct map { unsigned *words; unsigned bits, free; } boot_map, *boot = &boot_map;
unsigned words[3] = {0x80000001, 0x0000000F, 0xFFFFFFFF};
struct map boot_map = {words, 70, 65};
struct range { unsigned long long from, next, to; } ranges[3] = {
    {0x1000, 0x1800, 0x9000}, {0x100000, 0x100000, 0x100000000ull},
};
struct { unsigned count; struct range *ranges; } bumps = {2, ranges}, *bump = &bumps;
unsigned unwanted;
struct link { struct link *next, *previous; };
struct area { unsigned start; struct link list; unsigned pages, state; };
extern struct area records[3];
struct link areas = {&records[0].list, &records[2].list};
struct area records[3] = {
    {0, {&records[1].list, &areas}, 2, 1},
    {0x102000, {&records[2].list, &records[0].list}, 3, 0},
    {0xD0000000, {&areas, &records[1].list}, 1, 1},
};
struct header { unsigned size, magic; } sample_header;
unsigned live_blocks = 2;
char table[10000];
struct note { struct note *next; char rest[4092]; };
__attribute__((aligned(4096))) struct note notes[3] = {{&notes[2]}, {0}, {&notes[1]}};
struct note *first_note = notes;
"""
TOML = """
[moments]
early = "_start"
[[bitmaps]]
name = "boot"
moment = "early"
words = "boot->words"
bits = "boot->bits"
first_frame = "2"
taken = %d
free_count = "boot->free"
gone = "boot == 0"
[[bitmaps]]
name = "always"
words = "words"
bits = "32"
[[bumps]]
name = "bump"
moment = "early"
array = "bump->ranges"
count = "bump->count"
start = "from"
cursor = "next"
end = "to"
gone = "bump == 0"
chosen = "!unwanted"
[[heaps]]
name = "heap"
start = "0x100000"
end = "0x110000"
areas = "areas"
area = "struct area"
link = "list"
previous = "previous"
area_start = "start"
area_pages = "pages"
area_used = "state"
header = "struct header"
size = "size"
magic = "magic == 0xC0FFEE11"
blocks = "live_blocks"
[[metadata]]
name = "table"
start = "&table"
length = "sizeof(table)"
reserved = true
[[metadata]]
name = "notes"
chain = "first_note"
next = "next"
owner = "notes"
"""


@pytest.fixture
def program(loader: Loader, request: pytest.FixtureRequest) -> Loaded:
    loaded = loader(SOURCE, TOML % getattr(request, "param", 1))
    start = loaded.address("table")
    loaded.ram.set_word(loaded.address("records"), start)
    loaded.ram.set_word(start, 5000)
    loaded.ram.set_word(start + 4, 0xC0FFEE11)
    return loaded


def state(program: Loaded, moment: str = "ready") -> MemoryState:
    return decode(program.ram, UNPAGED, program.kernel, moment)


def bitmap(program: Loaded, moment: str = "early", name: str = "boot") -> Bitmap:
    [found] = [b for b in state(program, moment).bitmaps if b.name == name]
    return found


SET = {0, 31, 32, 33, 34, 35, 64, 65, 66, 67, 68, 69}
"""Bits of ``words`` that are 1, below 70."""


def test_a_bitmap_at_its_moment(program: Loaded) -> None:
    found = bitmap(program)
    assert {i for i, taken in enumerate(found.taken) if taken} == SET
    assert (len(found.taken), found.first_frame, found.free_count) == (70, 2, 65)
    assert found.padding_taken
    start = program.address("words")
    assert found.storage == (range(start, start + 12),)
    assert not found.gone
    program.ram.set_word(start, 0)
    assert found.taken[0], "owned, not a view"


def bump(program: Loaded, moment: str = "early") -> Bump:
    [found] = state(program, moment).bumps
    return found


def test_a_bump_allocator_at_its_moment(program: Loaded) -> None:
    found = bump(program)
    first = BumpRange(0x1000, 0x1800, 0x9000)
    assert found.ranges == (first, BumpRange(1 << 20, 1 << 20, 1 << 32))
    start = program.address("ranges")
    assert found.storage == (range(start, start + 48),)
    assert (found.gone, found.chosen) == (False, True)


def test_a_bump_allocator_that_is_gone_or_not_in_use(program: Loaded) -> None:
    assert bump(program, "ready") == Bump("bump", (), ())
    program.ram.set_word(program.address("unwanted"), 1)
    assert bump(program) == Bump("bump", (), (), chosen=False)
    program.ram.set_word(program.address("bump"), 0)
    assert bump(program) == Bump("bump", (), (), gone=True, chosen=False)
    program.ram.set_word(program.address("unwanted"), 0)
    assert bump(program) == Bump("bump", (), (), gone=True)


def test_a_bump_allocator_whose_ranges_lead_nowhere(program: Loaded) -> None:
    program.ram.set_word(program.address("bumps") + 4, 0xF0000000)
    found = state(program, "early")
    assert found.bumps == ()
    assert [fault.structure for fault in found.faults] == ["bump"]


@pytest.mark.parametrize("program", [0], indirect=True)
def test_a_bitmap_in_which_zero_means_taken(program: Loaded) -> None:
    found = bitmap(program)
    assert {i for i, taken in enumerate(found.taken) if not taken} == SET
    assert not found.padding_taken


@pytest.mark.parametrize("bit", [70, 95])
def test_padding_that_is_free(program: Loaded, bit: int) -> None:
    word = program.address("words") + 8
    program.ram.set_word(word, program.ram.word(word) & ~(1 << bit - 64))
    assert not bitmap(program).padding_taken


def test_at_another_moment_there_is_only_whether_it_is_gone(program: Loaded) -> None:
    assert not bitmap(program, "ready").gone
    assert len(bitmap(program, "ready").taken) == 0
    program.ram.set_word(program.address("boot"), 0)
    assert bitmap(program, "ready").gone
    assert bitmap(program, "early").gone
    assert [b.name for b in state(program, "early").bitmaps] == ["boot"]
    assert bitmap(program, "ready", "always").taken.sum() == 2


def test_a_bitmap_of_impossible_size(program: Loaded) -> None:
    program.ram.set_word(program.address("boot_map") + 4, 0x7FFFFFFF)
    [fault] = state(program, "early").faults
    assert fault.structure == "boot"
    assert "number of bits" in fault.message


def test_a_bitmap_nowhere(program: Loaded) -> None:
    program.ram.set_word(program.address("boot_map"), 0xE0000000)
    [fault] = state(program, "early").faults
    assert fault.chain == (0xE0000000,)


def heap(program: Loaded) -> Heap:
    [found] = state(program).heaps
    return found


def test_a_heap(program: Loaded) -> None:
    found = heap(program)
    start = program.address("table")
    assert found.faults == ()
    assert (found.start, found.end, found.header_size, found.owner) == (
        1 << 20,
        0x110000,
        8,
        "heap",
    )
    assert (found.blocks, found.bytes, found.frames) == (2, None, None)
    assert [(a.start, a.pages, a.used) for a in found.areas] == [
        (start, 2, True),
        (0x102000, 3, False),
        (0xD0000000, 1, True),
    ]
    first, free, lost = (area.block for area in found.areas)
    assert first is not None
    assert (first.header, first.size, first.magic_good) == (start, 5000, True)
    assert first.magic is None
    assert free is None
    assert lost is None, "its header is not mapped"


def test_a_free_area_where_a_used_one_begins(program: Loaded) -> None:
    program.ram.set_word(program.address("records") + 20, program.address("table"))
    assert [area.block is None for area in heap(program).areas] == [False, True, True]


def test_a_wrong_magic(program: Loaded) -> None:
    program.ram.set_word(program.address("table") + 4, 0xC0FFEE10)
    block = heap(program).areas[0].block
    assert block is not None
    assert not block.magic_good
    assert block.magic == Magic(program.address("table") + 4, 0xC0FFEE10, 0xC0FFEE11)


def test_a_list_of_areas_that_is_cut(program: Loaded) -> None:
    second = program.address("records") + 20 + 4
    program.ram.set_word(second, 0xE0000000)
    found = heap(program)
    assert len(found.areas) == 2
    assert "leads to no node" in found.faults[0].message
    assert found.faults[0].chain[-1] == 0xE0000000


def test_an_area_that_leads_back(program: Loaded) -> None:
    second = program.address("records") + 20 + 4
    program.ram.set_word(second, program.address("records") + 4)
    found = heap(program)
    assert len(found.areas) == 2
    assert "back into itself" in found.faults[0].message


def test_a_heap_whose_head_leads_off_alignment(program: Loaded) -> None:
    program.ram.set_word(program.address("areas"), program.address("records") + 5)
    found = heap(program)
    assert found.areas == ()
    assert "multiple of 4" in found.faults[0].message


def test_metadata(program: Loaded) -> None:
    table, notes = state(program).metadata
    start = program.address("table")
    assert (table.storage, table.owner) == ((range(start, start + 10000),), None)
    first = program.address("notes")
    assert notes.owner == "notes"
    assert [r.start for r in notes.storage] == [first, first + 0x2000, first + 0x1000]
    assert {len(r) for r in notes.storage} == {4096}


def test_a_chain_of_metadata_that_leads_back(program: Loaded) -> None:
    program.ram.set_word(program.address("notes") + 4096, program.address("notes"))
    found = state(program)
    assert [m.name for m in found.metadata] == ["table"]
    assert [fault.structure for fault in found.faults] == ["notes"]
    assert "back into itself" in found.faults[0].message


def test_early_there_is_what_was_taken_before_the_frame_allocator(program: Loaded) -> None:
    found = state(program, "early")
    assert [m.name for m in found.metadata] == ["table"]
    assert (found.heaps, found.free_lists, found.frame_table) == ((), (), None)
