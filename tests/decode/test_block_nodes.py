"""Nodes at the start of free blocks, linked by physical addresses, sound and broken."""

from __future__ import annotations

import random

import pytest

from harness.decode.belief.frames import FreeLists
from harness.decode.context import DescriptionMismatch
from harness.decode.decode import decode
from harness.decode.state import MemoryState
from harness.image.errors import DescriptionError
from tests.decode.conftest import Loader
from tests.decode.memory import UNPAGED, ByteRam, Loaded

SOURCE = """
struct node { unsigned next, previous, magic, order; };
enum { MAGIC = 0x1234567, ORDERS = 3 };
struct lists { unsigned heads[ORDERS], blocks[ORDERS]; } lists[2];
struct node *of_this_type;
"""
TOML = """
[[free_lists]]
name = "blocks"
zones = "2"
orders = "ORDERS"
head = "lists[zone].heads[order]"
style = "null"
nodes = "block"
links = "physical"
node = "struct node"
magic = "magic == MAGIC"
order = "order"
previous = "previous"
blocks = "lists[zone].blocks[order]"
"""
LOW, HIGH = range(0x40), range(0x80, 0x100)
"""Frames of RAM besides the image's, with a hole between; the kernel maps none of them."""


class Blocks:
    """Builds lists by hand, in RAM of two stretches."""

    def __init__(self, loaded: Loaded) -> None:
        self.loaded = loaded
        whole = range(loaded.ram.ranges[0].start, loaded.ram.ranges[0].stop)
        self.ram = ByteRam(*sorted((bytes_of(LOW), bytes_of(HIGH), whole), key=lambda r: r.start))
        self.ram.write(whole.start, loaded.ram.read(whole.start, len(whole)))

    def head(self, zone: int, order: int) -> int:
        return self.loaded.address("lists") + zone * 24 + order * 4

    def fill(self, zone: int, order: int, frames: list[int]) -> None:
        ring = [0, *(frame * 4096 for frame in frames), 0]
        for before, node, after in zip(ring, ring[1:], ring[2:], strict=False):
            for index, word in enumerate((after, before, 0x1234567, order)):
                self.ram.set_word(node + 4 * index, word)
        self.ram.set_word(self.head(zone, order), ring[1])

    def state(self) -> MemoryState:
        return decode(self.ram, UNPAGED, self.loaded.kernel)

    def decode(self) -> FreeLists:
        [found] = self.state().free_lists
        return found

    def frames(self, zone: int, order: int) -> list[int]:
        [found] = [x for x in self.decode().lists if (x.zone, x.order) == (zone, order)]
        return list(found.frames.tolist())


def bytes_of(frames: range) -> range:
    return range(frames.start * 4096, frames.stop * 4096)


@pytest.fixture(scope="module")
def program(loader: Loader) -> Loaded:
    return loader(SOURCE, TOML)


@pytest.fixture
def blocks(program: Loaded) -> Blocks:
    return Blocks(program)


def test_lists_in_order_across_a_hole(blocks: Blocks) -> None:
    blocks.fill(0, 0, [7, 0x90, 3, 0x82])
    blocks.fill(1, 2, [0x20])
    assert blocks.frames(0, 0) == [7, 0x90, 3, 0x82]
    assert blocks.frames(1, 2) == [0x20]
    assert blocks.frames(1, 0) == []
    assert blocks.decode().faults == ()


def test_a_node_at_the_very_end_of_ram(blocks: Blocks) -> None:
    blocks.fill(0, 0, [HIGH.stop - 1, LOW.stop - 1])
    assert blocks.frames(0, 0) == [HIGH.stop - 1, LOW.stop - 1]


@pytest.mark.parametrize(
    ("wild", "said"),
    [
        (0x5123, "no frame begins at physical 0x5123"),
        (0x50000, "there is no RAM at physical 0x50000"),
        (0xFFFFF000, "there is no RAM at physical 0xfffff000"),
    ],
)
def test_a_link_into_nowhere(blocks: Blocks, wild: int, said: str) -> None:
    blocks.fill(0, 1, [4, 5, 6])
    blocks.fill(1, 1, [8])
    blocks.ram.set_word(5 * 4096, wild)
    [fault] = blocks.decode().faults
    assert said in fault.message
    assert (fault.chain[-1], fault.physical) == (wild, True)
    assert fault.structure == "blocks, zone 0, order 1"
    assert blocks.frames(0, 1) == [4, 5]
    assert blocks.frames(1, 1) == [8], "decoding went on behind it"


def test_a_cycle(blocks: Blocks) -> None:
    blocks.fill(0, 0, [4, 5, 6])
    blocks.ram.set_word(6 * 4096, 5 * 4096)
    assert "leads back into itself" in blocks.decode().faults[0].message
    assert blocks.frames(0, 0) == [4, 5, 6]


@pytest.mark.parametrize("node", [4, 5, 6])
def test_a_back_link_that_does_not_agree(blocks: Blocks, node: int) -> None:
    blocks.fill(0, 0, [4, 5, 6])
    blocks.ram.set_word(node * 4096 + 4, 0x9000)
    [fault] = blocks.decode().faults
    assert "the back pointer says 0x9000" in fault.message
    assert fault.chain[-1] == node * 4096


def test_a_magic_number_and_an_order_that_are_wrong(blocks: Blocks) -> None:
    blocks.fill(1, 1, [4, 5, 6])
    blocks.ram.set_word(5 * 4096 + 8, 0)
    blocks.ram.set_word(6 * 4096 + 12, 2)
    magic, order = blocks.decode().faults
    assert magic.message == (
        "the node at physical 0x5000 is not marked as a free block's: its magic is wrong"
    )
    assert order.message == "the node at physical 0x6000 does not note order 1, that of its list"
    assert order.chain == (0x6000,)
    assert blocks.frames(1, 1) == [4, 5, 6], "the list still says that they are free"


def test_garbage_never_runs_away(blocks: Blocks) -> None:
    chance = random.Random(7)
    places = [*LOW[1:], *HIGH]
    for _ in range(60):
        blocks.fill(0, 0, chance.sample(places, 20))
        for _ in range(chance.randrange(1, 10)):
            word = chance.choice(places) * 4096 + chance.choice((0, 4, 8, 12))
            value = chance.choice((chance.choice(places) * 4096, chance.randrange(1 << 32), 0))
            blocks.ram.set_word(word, value)
        found = blocks.decode()
        assert all(len(one.frames) <= len(places) + 64 for one in found.lists)
        assert len(found.faults) < 100


def test_a_type_that_there_is_not(loader: Loader) -> None:
    program = loader(SOURCE, TOML.replace("struct node", "struct knot"))
    with pytest.raises(DescriptionMismatch, match="knot"):
        decode(program.ram, UNPAGED, program.kernel)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"null"', '"circular"', 'style = "null"'),
        ('nodes = "block"', 'nodes = "frame_table"', 'nodes = "block"'),
        ('node = "struct node"', "", "need node"),
    ],
)
def test_a_description_that_makes_no_sense(loader: Loader, old: str, new: str, said: str) -> None:
    with pytest.raises(DescriptionError, match=said):
        loader(SOURCE, TOML.replace(old, new))
