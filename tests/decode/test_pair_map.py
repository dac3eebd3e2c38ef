"""The pair bitmap, read out of a program's variables."""

from __future__ import annotations

import pytest

from harness.decode.belief.frames import PairMap
from harness.decode.decode import decode
from harness.decode.state import MemoryState
from harness.image.errors import DescriptionError
from tests.decode.conftest import Loader
from tests.decode.memory import UNPAGED, Loaded

SOURCE = """
struct node { unsigned next, previous; } *of_this_type;
unsigned char bits[16] = {0x01, 0x80, 0xFF, 0, 0x05, 0x02};
unsigned char managed[2] = {0xF0, 0xFF};
unsigned managed_bits = 12;
struct zone {
    unsigned base, size, heads[3], first_bit[3];
    unsigned char *map, max_order;
    unsigned length;
} zones[2] = {
    {0, 10 * 4096, {0}, {0, 5, 8}, bits, 2, 1},
    {0x10000, 3 * 4096, {0}, {0, 2, 3}, bits + 4, 1, 2},
};
unsigned zone_count = 2, in_use = 1;
"""
TOML = """
[[free_lists]]
name = "blocks"
zones = "zone_count"
orders = "3"
head = "zones[zone].heads[order]"
style = "null"
nodes = "block"
links = "physical"
node = "struct node"
chosen = "in_use"
[[pair_maps]]
name = "blocks"
zones = "zone_count"
base = "zones[zone].base"
size = "zones[zone].size"
max_order = "zones[zone].max_order"
bytes = "zones[zone].map"
length = "zones[zone].length"
first_bit = "zones[zone].first_bit[order]"
managed = "managed"
managed_bits = "managed_bits"
chosen = "in_use"
"""


@pytest.fixture
def program(loader: Loader) -> Loaded:
    return loader(SOURCE, TOML)


def state(program: Loaded) -> MemoryState:
    return decode(program.ram, UNPAGED, program.kernel)


def member(program: Loaded, zone: int, name: str) -> int:
    size = program.kernel.types.lookup("struct zone").size
    return program.address("zones") + zone * size + program.offset("struct zone", name)


def test_each_zone_and_order(program: Loaded) -> None:
    [found] = state(program).pair_maps
    first, second = found.zones
    assert (found.name, first.base, first.size, first.max_order) == ("blocks", 0, 0xA000, 2)
    assert [pairs.tolist() for pairs in first.pairs] == [[True] + [False] * 4, [False] * 3]
    assert (second.base, second.size, second.max_order) == (0x10000, 0x3000, 1)
    assert [pairs.tolist() for pairs in second.pairs] == [[True, False]]
    assert found.managed is not None
    assert found.managed.tolist() == [False] * 4 + [True] * 8


def test_what_is_not_in_use_is_not_decoded(program: Loaded) -> None:
    program.ram.set_word(program.address("in_use"), 0)
    found = state(program)
    assert (found.pair_maps, found.free_lists, found.faults) == ((), (), ())


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("length", 0, "the first bit of order 0, with 5 pairs, of zone 0 is 0"),
        ("length", 0x7FFFFFFF, "the length of the map of zone 0 is 2147483647"),
        ("first_bit", 0xFFFFFFF0, "the first bit of order 0"),
        ("first_bit", 4, "the first bit of order 0, with 5 pairs, of zone 0 is 4"),
        ("size", 0xFFFFF000, "the first bit of order 0, with 524288 pairs,"),
        ("max_order", 77, "the largest order of zone 0 is 77"),
    ],
)
def test_numbers_that_cannot_be(program: Loaded, name: str, value: int, said: str) -> None:
    program.ram.set_word(member(program, 0, name), value)
    found = state(program)
    assert found.pair_maps == ()
    [fault] = found.faults
    assert fault.structure == "blocks"
    assert said in fault.message


def test_a_map_nowhere(program: Loaded) -> None:
    program.ram.set_word(member(program, 1, "map"), 0xF0000000)
    [fault] = state(program).faults
    assert fault.chain == (0xF0000000,)


def test_arrays_are_owned(program: Loaded) -> None:
    [found] = state(program).pair_maps
    program.ram.write(program.address("bits"), bytes(16))
    assert isinstance(found, PairMap)
    assert found.zones[0].pairs[0][0]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('[[pair_maps]]\nname = "blocks"', '[[pair_maps]]\nname = "other"', "has this name"),
        ('managed_bits = "managed_bits"\n', "", "go together"),
    ],
)
def test_a_description_that_makes_no_sense(loader: Loader, old: str, new: str, said: str) -> None:
    with pytest.raises(DescriptionError, match=said):
        loader(SOURCE, TOML.replace(old, new))
