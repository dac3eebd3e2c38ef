"""Heaps with headers, decoded out of a compiled kernel's memory and checked: sound and hostile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from harness.check.faults import every_fault
from harness.check.header_chains import check_header_chains
from harness.decode.decode import decode
from harness.decode.header_chain import MAX_BLOCKS
from harness.decode.state import MemoryState
from harness.image.description import load_description
from harness.image.errors import DescriptionError
from tests.decode.conftest import Loader, _own_cache, loader
from tests.decode.memory import UNPAGED, Loaded

__all__ = ["_own_cache", "loader"]

SOURCE = """
struct block { unsigned magic, size; struct block *next, *previous; unsigned used; };
struct {
    struct block a; char as_[44]; struct block b; char bs[24]; struct block c; char cs[12];
} heap __attribute__((aligned(16))) = {
    .a = {0xB10C, 44, &heap.b, 0, 1},
    .b = {0xB10C, 24, &heap.c, &heap.a, 0},
    .c = {0xB10C, 12, 0, &heap.b, 1},
};
struct block *first = &heap.a;
unsigned live = 2, bytes = 56;
char plenty[4 << 20] __attribute__((aligned(16)));
"""
LINKED = """
[[header_chains]]
name = "heap"
first = "first"
header = "struct block"
size = "size"
next = "next"
previous = "previous"
end = "&heap + 1"
magic = "magic == 0xB10C"
used = "used"
merged = true
live = "live"
bytes = "bytes"
"""
ADJACENT = "\n".join(line for line in LINKED.splitlines() if not line.startswith("next ="))
A, B, C, END = 0, 64, 108, 140
MAGIC, SIZE, NEXT, PREVIOUS, USED = 0, 4, 8, 12, 16

Spoil = Callable[[Loaded, int], None]


def decoded(program: Loaded) -> MemoryState:
    return decode(program.ram, UNPAGED, program.kernel)


def word(offset: int, value: int | Callable[[int], int]) -> Spoil:
    """Return what overwrites a word of the heap; a function is given the heap's address."""

    def spoil(program: Loaded, heap: int) -> None:
        number = value(heap) if callable(value) else value
        program.ram.set_word(heap + offset, number)

    return spoil


@pytest.mark.parametrize("toml", [LINKED, ADJACENT])
def test_a_sound_heap(loader: Loader, toml: str) -> None:
    program = loader(SOURCE, toml)
    found = decoded(program)
    [chain] = found.header_chains
    start = program.address("heap")
    assert chain.header_size == 20
    assert (chain.blocks["header"] - start).tolist() == [A, B, C]
    assert chain.blocks["size"].tolist() == [44, 24, 12]
    assert chain.blocks["used"].tolist() == [True, False, True]
    assert chain.end == start + END
    assert list(every_fault(found)) == []
    assert check_header_chains(found) == ()


@pytest.mark.parametrize(
    ("spoil", "kind"),
    [
        (word(B + MAGIC, 0xBAD), "magic"),
        (word(C + PREVIOUS, lambda heap: heap + A), "previous"),
        (word(A + SIZE, 48), "overlap"),
        (word(C + SIZE, 16), "beyond"),
        (word(C + SIZE, 0xFFFFFFFF), "beyond"),
        (word(C + SIZE, 8), "end"),
        (word(A + USED, 0), "unmerged"),
        (word(B + USED, 1), "counter"),
    ],
)
def test_what_is_wrong_is_told_apart(loader: Loader, spoil: Spoil, kind: str) -> None:
    program = loader(SOURCE, LINKED)
    spoil(program, program.address("heap"))
    kinds = {violation.kind for violation in check_header_chains(decoded(program))}
    assert f"header-chain.{kind}" in kinds


@pytest.mark.parametrize(
    ("toml", "spoil", "words", "culprit"),
    [
        (LINKED, word(C + NEXT, lambda heap: heap + A), "leads back into itself", A),
        (LINKED, word(B + NEXT, 0x66666664), "leads to no node", 0x66666664),
        (LINKED, word(B + NEXT, lambda heap: heap + 1), "is no multiple of 4", 1),
        (ADJACENT, word(B + SIZE, 0x7FFFFFFF), "which end beyond the heap's", B),
        (ADJACENT, word(C + SIZE, 13), "says 13 bytes, which end beyond the heap's", C),
        (ADJACENT.replace('"size"', '"(int)size"'), word(C + SIZE, -20), "says -20 bytes", C),
    ],
)
def test_a_chain_that_leads_nowhere(
    loader: Loader, toml: str, spoil: Spoil, words: str, culprit: int
) -> None:
    program = loader(SOURCE, toml)
    heap = program.address("heap")
    spoil(program, heap)
    [fault] = every_fault(decoded(program))
    assert words in fault.message
    assert fault.chain[-1] in (culprit, heap + culprit)
    assert heap + B in fault.chain


def test_a_million_nodes_are_too_many(loader: Loader) -> None:
    """Headers of nothing but a size of 0, as far as the memory goes."""
    toml = """
    [[header_chains]]
    name = "heap"
    first = "plenty"
    header = "unsigned int"
    size = "*(unsigned *)plenty"
    end = "plenty + sizeof(plenty)"
    """
    found = decoded(loader(SOURCE, toml))
    [fault] = every_fault(found)
    assert fault.message == f"the heap has more than {MAX_BLOCKS} blocks"
    assert len(found.header_chains[0].blocks) == MAX_BLOCKS


def test_an_end_that_is_a_negative_number_is_an_address(loader: Loader) -> None:
    program = loader(SOURCE, ADJACENT.replace("&heap + 1", "-4096"))
    [chain] = decoded(program).header_chains
    assert chain.end == 0xFFFFF000
    assert len(chain.blocks) >= 3


def test_back_pointers_that_are_not_described_are_not_checked(loader: Loader) -> None:
    program = loader(SOURCE, LINKED.replace('previous = "previous"\n', ""))
    assert check_header_chains(decoded(program)) == ()


def test_a_head_into_nowhere(loader: Loader) -> None:
    program = loader(SOURCE, LINKED.replace('first = "first"', 'first = "0xF0000000"'))
    found = decoded(program)
    [fault] = every_fault(found)
    assert fault.chain[-1] == 0xF0000000
    assert len(found.header_chains[0].blocks) == 0


def test_a_chain_needs_a_way_to_go_on(tmp_path: Path) -> None:
    toml = '[[header_chains]]\nname = "h"\nfirst = "f"\nheader = "struct b"\nsize = "size"\n'
    (tmp_path / "harness.toml").write_text(toml)
    with pytest.raises(DescriptionError, match=r"harness\.toml:1: header_chains\[0\]: needs next"):
        load_description(tmp_path / "harness.toml")
