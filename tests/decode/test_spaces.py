"""Address spaces of a kernel that names things otherwise, sound and hostile."""

from __future__ import annotations

import pytest

from harness.decode import spaces as decoder
from harness.decode.belief.paging import ControlRegisters
from harness.decode.belief.spaces import AddressSpaces, MapPart, UserRegion
from harness.decode.decode import decode
from tests.decode.conftest import Loader
from tests.decode.memory import Loaded

PAGE = 4096
PG, PSE = 1 << 31, 1 << 4
USER_START = 0x40000000
SLOT = USER_START >> 22

SOURCE = """
#define PAGE __attribute__((aligned(4096)))
struct link { struct link *next, *previous; };
struct part { const char *label; unsigned first, last; unsigned flags; };
struct part parts[3] = {
    {"programs", 0x40000000, 0x7FFFFFFF, 3}, {"kernel", 0x1000, 0x3FFFFF, 1}, {(char *)8, 1, 0, 0},
};
unsigned part_count = 2;
struct stretch { unsigned begin, length, backed; struct link link; };
struct space { struct link link; unsigned key, top; struct link stretches; };
extern struct space all[2];
extern struct stretch some[3];
struct link spaces_head = {&all[0].link, &all[1].link};
struct stretch some[3] = {
    {0x40000000, 2, 1, {&some[1].link, &all[1].stretches}},
    {0x40400000, 5, 0, {&some[2].link, &some[0].link}},
    {0x7FFFF000, 1, 0, {&all[1].stretches, &some[1].link}},
};
struct space all[2] = {
    {{&all[1].link, &spaces_head}, 7, 0, {&all[0].stretches, &all[0].stretches}},
    {{&spaces_head, &all[0].link}, 9, 0, {&some[0].link, &some[2].link}},
};
struct space *in_use = &all[1];
PAGE unsigned tops[2][1024] = {{0x83}, {0x83}};
PAGE unsigned tables[2][1024];
PAGE char zeros[4096] = {0};
PAGE char last[4096] = {1};
"""
TOML = """
[address_spaces]
spaces = "spaces_head"
space = "struct space"
link = "link"
previous = "previous"
number = "key"
directory = "top"
current = "in_use"
zero_page = "&zeros"
owner = "programs"
[address_spaces.map]
array = "parts"
count = "part_count"
name = "label"
start = "first"
last = "last"
user = "flags & 2"
writable = "flags & 1"
[address_spaces.regions]
head = "stretches"
region = "struct stretch"
link = "link"
previous = "previous"
start = "begin"
pages = "length"
frames = "backed"
"""


@pytest.fixture
def program(loader: Loader) -> Loaded:
    """Return the kernel with two directories; the second has a page of zeros and one of its own."""
    loaded = loader(SOURCE, TOML)
    tops, tables = loaded.address("tops"), loaded.address("tables")
    space = loaded.kernel.types.lookup("struct space").size
    for index in range(2):
        top = loaded.address("all") + index * space + loaded.offset("struct space", "top")
        loaded.ram.set_word(top, tops + index * PAGE)
    loaded.ram.set_word(tops + PAGE + SLOT * 4, tables | 7)
    loaded.ram.set_word(tables, loaded.address("zeros") | 5)
    loaded.ram.set_word(tables + 4, loaded.address("last") | 7)
    return loaded


def found(program: Loaded) -> AddressSpaces:
    """Decode the spaces, with paging on through the second directory."""
    registers = ControlRegisters(cr0=1 | PG, cr3=program.address("tops") + PAGE, cr4=PSE)
    spaces = decode(program.ram, registers, program.kernel).address_spaces
    assert spaces is not None
    return spaces


def test_spaces_their_regions_and_pages(program: Loaded) -> None:
    spaces = found(program)
    assert spaces.faults == ()
    assert (spaces.zero_page, spaces.owner) == (program.address("zeros"), "programs")
    assert spaces.map == (
        MapPart("programs", USER_START, 0x80000000, True, True),
        MapPart("kernel", PAGE, 0x400000, False, True),
    )
    first, second = spaces.spaces
    assert [(one.number, one.current) for one in spaces.spaces] == [(7, False), (9, True)]
    tops = program.address("tops")
    assert (first.directory, second.directory) == (tops, tops + PAGE)
    assert first.regions == ()
    assert second.regions == (
        UserRegion(USER_START, 2, 1),
        UserRegion(USER_START + (4 << 20), 5, 0),
        UserRegion(0x7FFFF000, 1, 0),
    )
    assert len(first.user.mappings) == 0
    rows = second.user.mappings[["virtual", "physical", "writable", "user"]].tolist()
    assert rows == [
        (USER_START, program.address("zeros"), False, True),
        (USER_START + PAGE, program.address("last"), True, True),
    ]
    assert second.user.tables.tolist() == [tops + PAGE, program.address("tables")]


def test_the_kernel_s_part_is_kept_as_raw_entries(program: Loaded) -> None:
    for space in found(program).spaces:
        assert len(space.entries) == 1024
        assert space.entries[0] == 0x83


def test_a_name_that_leads_nowhere_is_its_address(program: Loaded) -> None:
    program.ram.set_word(program.address("part_count"), 3)
    assert found(program).map[2].name == "0x8"


def faults(program: Loaded) -> list[str]:
    return [f"{fault.structure}: {fault.message}" for fault in found(program).faults]


def member(program: Loaded, array: str, index: int, struct: str, name: str) -> int:
    """Return the address of a member of an array's element."""
    size = program.kernel.types.lookup(struct).size
    return program.address(array) + index * size + program.offset(struct, name)


def test_a_directory_outside_ram(program: Loaded) -> None:
    program.ram.set_word(member(program, "all", 0, "struct space", "top"), 0x70000000)
    [fault] = faults(program)
    assert fault.startswith("address spaces: space 7's top table is not in RAM")
    assert len(found(program).spaces) == 2


def test_spaces_that_lead_in_a_circle(program: Loaded) -> None:
    link = member(program, "all", 1, "struct space", "link")
    program.ram.set_word(link, member(program, "all", 0, "struct space", "link"))
    assert any("leads back into itself" in fault for fault in faults(program))
    assert [one.number for one in found(program).spaces] == [7, 9]


def test_regions_that_lead_nowhere(program: Loaded) -> None:
    program.ram.set_word(member(program, "some", 1, "struct stretch", "link"), 0x30000000)
    assert any(fault.startswith("user regions, space 9: ") for fault in faults(program))
    assert [one.start for one in found(program).spaces[1].regions] == [
        USER_START,
        USER_START + (4 << 20),
    ]


def test_regions_whose_head_is_wrong(program: Loaded) -> None:
    program.ram.set_word(member(program, "all", 1, "struct space", "stretches"), 3)
    assert any("user regions" in fault for fault in faults(program))
    assert found(program).spaces[0].number == 7


def test_more_page_tables_than_are_read(program: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoder, "MAX_TABLES", 0)
    assert faults(program) == ["address spaces: more than 0 page tables; space 9's are left out"]


def test_a_list_of_spaces_that_cannot_be_read_at_all(program: Loaded) -> None:
    program.ram.set_word(program.address("spaces_head"), 2)
    assert any("0x2 is no multiple of 4" in fault for fault in faults(program))
