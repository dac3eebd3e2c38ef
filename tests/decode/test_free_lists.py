"""Free lists in both styles and of both kinds of nodes, sound and broken."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest

from harness.decode.address_space import AddressSpace
from harness.decode.belief.frames import FreeLists
from harness.decode.context import Undecodable
from harness.decode.decode import decode
from harness.decode.frame_table import read_frames
from harness.decode.free_lists import decode_free_lists
from harness.decode.links import ListShape, PointerReader, follow
from harness.decode.page_tables import decode_page_tables
from harness.decode.state import MemoryState
from tests.decode.conftest import Loader
from tests.decode.memory import UNPAGED, ByteRam, Loaded

TABLE = """
struct link { struct link *next, *previous; };
struct frame { unsigned char flags, order; unsigned short users; struct link list; };
struct frame frames[64];
struct frame *map = frames;
unsigned frame_count = 64, zone_count = 2;
struct zone { struct link heads[3]; unsigned blocks[3]; unsigned free, managed; } zones[2];
"""
TOML = """
[frame_table]
array = "map"
count = "frame_count"
first_frame = "16"
free = "flags & 1"
order = "order"
users = "users"
[frame_table.owners]
"heap" = "flags & 2"
[[free_lists]]
name = "buddy"
zones = "zone_count"
orders = "3"
head = "zones[zone].heads[order]"
nodes = "frame_table"
link = "list"
previous = "previous"
blocks = "zones[zone].blocks[order]"
frames = "zones[zone].free"
managed = "zones[zone].managed"
"""


class Lists:
    """Builds the lists of TABLE by hand."""

    def __init__(self, loaded: Loaded) -> None:
        self.loaded, self.ram = loaded, loaded.ram
        self.size = loaded.kernel.types.lookup("struct frame").size
        self.link = loaded.offset("struct frame", "list")
        self.zone_size = loaded.kernel.types.lookup("struct zone").size
        for zone in range(2):
            for order in range(3):
                self.fill(zone, order, [])

    def node(self, frame: int) -> int:
        return self.loaded.address("frames") + (frame - 16) * self.size + self.link

    def head(self, zone: int, order: int) -> int:
        return self.loaded.address("zones") + zone * self.zone_size + order * 8

    def fill(self, zone: int, order: int, frames: list[int]) -> None:
        ring = [self.head(zone, order), *map(self.node, frames)]
        for here, there in zip(ring, [*ring[1:], ring[0]], strict=True):
            self.ram.set_word(here, there)
            self.ram.set_word(there + 4, here)

    def decode(self) -> FreeLists:
        [found] = self.state().free_lists
        return found

    def state(self) -> MemoryState:
        return decode(self.ram, UNPAGED, self.loaded.kernel)

    def frames(self, zone: int, order: int) -> list[int]:
        lists = self.decode().lists
        [found] = [x.frames.tolist() for x in lists if (x.zone, x.order) == (zone, order)]
        return list(found)


@pytest.fixture(scope="module")
def program(loader: Loader) -> Loaded:
    return loader(TABLE, TOML)


@pytest.fixture
def lists(program: Loaded) -> Lists:
    program.ram.set_word(program.address("zone_count"), 2)
    program.ram.set_word(program.address("frame_count"), 64)
    program.ram.set_word(program.address("map"), program.address("frames"))
    return Lists(program)


def test_lists_in_order(lists: Lists) -> None:
    lists.fill(0, 1, [20, 18, 16])
    lists.fill(1, 2, [76])
    lists.ram.set_word(lists.loaded.address("zones") + 24 + 4, 3)
    lists.ram.set_word(lists.loaded.address("zones") + 36, 6)
    found = lists.decode()
    assert found.faults == ()
    assert [(x.zone, x.order) for x in found.lists] == [(z, o) for z in (0, 1) for o in (0, 1, 2)]
    assert lists.frames(0, 1) == [20, 18, 16]
    assert lists.frames(1, 2) == [76]
    assert found.lists[1].count == 3
    assert found.free_frames == {0: 6, 1: 0}
    assert not found.merged


def test_a_cycle(lists: Lists) -> None:
    lists.fill(0, 0, [20, 21, 22])
    lists.ram.set_word(lists.node(22), lists.node(21))
    [fault] = lists.decode().faults
    assert "leads back into itself" in fault.message
    assert fault.structure == "buddy, zone 0, order 0"
    assert fault.chain == (lists.node(20), lists.node(21), lists.node(22), lists.node(21))
    assert lists.frames(0, 0) == [20, 21, 22]


def test_a_head_into_nowhere(lists: Lists) -> None:
    lists.ram.set_word(lists.head(0, 1), 0xFEE00000)
    [fault, *_] = lists.decode().faults
    assert fault.chain == (lists.head(0, 1), 0xFEE00000)


@pytest.mark.parametrize(
    "where", ["null", "high", "misaligned", "other member", "before", "behind", "other head"]
)
def test_a_link_into_nowhere(lists: Lists, where: str) -> None:
    lists.fill(0, 0, [20, 21, 22])
    wild = {
        "null": 0,
        "high": 0xF0000000,
        "misaligned": lists.node(25) + 1,
        "other member": lists.node(25) + 4,
        "before": lists.node(15),
        "behind": lists.node(80),
        "other head": lists.head(0, 1),
    }[where]
    lists.ram.set_word(lists.node(21), wild)
    lists.fill(1, 1, [30])
    [fault] = lists.decode().faults
    assert "leads to no node" in fault.message
    assert fault.chain[-2:] == (lists.node(21), wild)
    assert lists.frames(0, 0) == [20, 21]
    assert lists.frames(1, 1) == [30], "decoding went on behind it"


@pytest.mark.parametrize("frame", [20, 21, 22])
def test_a_back_pointer_that_does_not_agree(lists: Lists, frame: int) -> None:
    lists.fill(0, 0, [20, 21, 22])
    lists.ram.set_word(lists.node(frame) + 4, lists.node(30))
    [fault] = lists.decode().faults
    assert f"says 0x{lists.node(30):x}" in fault.message
    assert fault.chain[-1] == lists.node(frame)
    assert lists.frames(0, 0) == [20, 21, 22]


def test_the_heads_back_pointer(lists: Lists) -> None:
    lists.fill(0, 0, [20, 21])
    lists.ram.set_word(lists.head(0, 0) + 4, lists.node(20))
    [fault] = lists.decode().faults
    assert fault.chain == (lists.node(21), lists.head(0, 0))


def test_a_node_on_two_lists_is_seen_by_its_back_pointer(lists: Lists) -> None:
    lists.fill(0, 0, [20, 21])
    lists.fill(0, 1, [30, 20])
    assert lists.decode().faults


@pytest.mark.parametrize("count", [65, 1 << 20])
def test_more_zones_than_there_can_be(lists: Lists, count: int) -> None:
    lists.ram.set_word(lists.loaded.address("zone_count"), count)
    state = lists.state()
    assert state.free_lists == ()
    [fault] = state.faults
    assert (fault.structure, "number of zones" in fault.message) == ("buddy", True)


@pytest.mark.parametrize("count", [0xFFFFFFFF, (1 << 20) + 1, 1 << 19])
def test_a_frame_count_that_cannot_be(lists: Lists, count: int) -> None:
    lists.ram.set_word(lists.loaded.address("frame_count"), count)
    state = lists.state()
    assert state.frame_table is None
    assert [fault.structure for fault in state.faults] == ["frame table", "buddy"]


@pytest.mark.parametrize(
    ("address", "culprit"),
    [(0, 0), (0x80000000, 0x80000000), (0xFFFFFFF0, 1 << 32)],
)
def test_a_frame_table_nowhere(lists: Lists, address: int, culprit: int) -> None:
    lists.ram.set_word(lists.loaded.address("map"), address)
    state = lists.state()
    assert state.frame_table is None
    assert state.faults[0].chain == (culprit,)


def test_the_frame_table(lists: Lists) -> None:
    start = lists.loaded.address("frames")
    lists.ram.write(start, bytes([1, 3, 5, 0]))
    lists.ram.write(start + lists.size, bytes([2, 0, 0xFF, 0xFF]))
    table = lists.state().frame_table
    assert table is not None
    assert (table.first_frame, len(table)) == (16, 64)
    assert table.free.tolist() == [True] + [False] * 63
    assert table.order.tolist()[:2] == [3, 0]
    assert table.users.tolist()[:2] == [5, 0xFFFF]
    assert np_true(table.owners["heap"]) == [1]
    assert not table.reserved.any()
    assert table.storage == (range(start, start + 64 * lists.size),)
    lists.ram.write(start, bytes(8))
    assert table.free[0], "owned, not a view"


def np_true(flags: Iterable[object]) -> list[int]:
    return [index for index, flag in enumerate(flags) if flag]


NULL_TOML = """
[frame_table]
array = "frames"
count = "64"
[[free_lists]]
name = "stack"
head = "free_head"
style = "null"
nodes = "frame_table"
next = "next"
"""


def test_a_null_terminated_list_of_elements(loader: Loader) -> None:
    """The pointers point to whole elements, and there are no back pointers."""
    source = """
    struct frame { int users; struct frame *next; };
    struct frame frames[64] = {[5] = {0, &frames[63]}, [63] = {0, &frames[0]}};
    struct frame *free_head = &frames[5];
    """
    program = loader(source, NULL_TOML)
    [found] = decode(program.ram, UNPAGED, program.kernel).free_lists
    assert found.lists[0].frames.tolist() == [5, 63, 0]
    assert found.faults == ()
    program.ram.set_word(program.address("frames") + 4, program.address("frames") + 5 * 8)
    [found] = decode(program.ram, UNPAGED, program.kernel).free_lists
    assert found.lists[0].frames.tolist() == [5, 63, 0]
    assert "back into itself" in found.faults[0].message


BLOCK_TOML = """
[[free_lists]]
name = "runs"
orders = "2"
head = "free_heads[order]"
style = "%s"
nodes = "block"
next = "next"
"""


def blocks(program: Loaded, frames: list[int], end: int, head: int) -> None:
    """Link free blocks through their own first words."""
    places = [frame * 4096 for frame in frames]
    for here, there in zip([head, *places], [*places, end], strict=True):
        program.ram.set_word(here, there)


@pytest.mark.parametrize("style", ["null", "circular"])
def test_a_list_in_the_blocks_themselves(loader: Loader, style: str) -> None:
    element = "struct run *" if style == "null" else "struct run "
    source = "struct run { struct run *next; };"
    program = loader(f"{source} {element} free_heads[2]; char room[1 << 16];", BLOCK_TOML % style)
    head = program.address("free_heads") + 4
    first = program.address("room") // 4096 + 1
    frames = [first + 3, first, first + 7]
    blocks(program, frames, 0 if style == "null" else head, head)
    program.ram.set_word(head - 4, 0 if style == "null" else head - 4)
    [found] = decode(program.ram, UNPAGED, program.kernel).free_lists
    assert found.faults == ()
    assert [x.frames.tolist() for x in found.lists] == [[], frames]

    program.ram.set_word(frames[1] * 4096, frames[2] * 4096 + 8)
    program.ram.set_word(frames[2] * 4096 + 8, 0 if style == "null" else head)
    [found] = decode(program.ram, UNPAGED, program.kernel).free_lists
    assert found.lists[1].frames.tolist() == frames[:2]
    assert "no frame begins" in found.faults[0].message

    program.ram.set_word(frames[1] * 4096, 0xE0000000)
    [found] = decode(program.ram, UNPAGED, program.kernel).free_lists
    assert found.faults[0].chain[-2:] == (frames[1] * 4096, 0xE0000000)


def test_a_list_never_has_more_nodes_than_there_may_be() -> None:
    ram = ByteRam(range(0x10000))
    links = PointerReader(AddressSpace(ram, decode_page_tables(ram, UNPAGED)))
    for address in range(0x100, 0x8000, 4):
        ram.set_word(address, address + 4)
    chain = follow(ListShape("null", 0, None), 0, 0x100, links, links, limit=1000)
    assert len(chain.nodes) == 1000
    assert "more than 1000 nodes" in chain.breaks[0].message


def test_without_its_frame_table_a_list_cannot_be_decoded(lists: Lists) -> None:
    description = lists.loaded.kernel.description.free_lists[0]
    with pytest.raises(Undecodable):
        decode_free_lists(lists.loaded.context, description, None)


def test_random_garbage_never_runs_away(lists: Lists) -> None:
    """Whatever the words of table and heads say, decoding ends with values."""
    chance = random.Random(20)
    table = lists.loaded.kernel.description.frame_table
    assert table is not None
    for _ in range(100):
        lists.fill(0, 0, chance.sample(range(16, 80), 20))
        lists.fill(1, 1, chance.sample(range(16, 80), 20))
        for _ in range(chance.randrange(1, 12)):
            target = chance.choice([lists.node(chance.randrange(16, 80)), lists.head(0, 0)])
            value = chance.choice(
                [lists.node(chance.randrange(0, 100)), chance.randrange(1 << 32), lists.head(1, 1)]
            )
            lists.ram.set_word(target + chance.choice([0, 4]), value)
        found = lists.decode()
        assert all(len(x.frames) <= 64 for x in found.lists)
        assert len(read_frames(lists.loaded.context, table).rows) == 64
