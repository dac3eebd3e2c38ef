"""Structures declared by hand: what they decode to is what debug information leads to."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from harness.check.faults import every_fault
from harness.decode.decode import decode
from harness.decode.state import MemoryState
from harness.image.declared_types import member_type
from harness.image.description import load_description
from harness.image.elf import load_kernel
from harness.image.errors import DescriptionError
from harness.report.state_json import state_json
from tests.decode.memory import UNPAGED, load
from tests.image.compiler import compile_kernel

SOURCE = """
struct link { struct link *next, *previous; };
struct page { unsigned char flags, order; unsigned short users; struct link list; };
extern struct page pages[4];
struct page *page_table = pages;
struct link free_lists[2] = {{&pages[3].list, &pages[3].list}, {&pages[0].list, &pages[0].list}};
struct page pages[4] = {
    {1, 1, 0, {&free_lists[1], &free_lists[1]}}, {0, 0, 7}, {2},
    {1, 0, 0, {&free_lists[0], &free_lists[0]}},
};
__attribute__((aligned(4096))) struct frame { struct frame *next; char rest[4092]; } stack[2] =
    {{&stack[1]}, {0}};
struct frame *top = stack;
struct block { unsigned magic, size; struct block *next; } *first;
struct { struct block a; char as_[20]; struct block b; char bs[8]; } heap =
    {{0xB10C, 20, &heap.b}, {0}, {0xB10C, 8, 0}};
struct block *first = &heap.a;
struct header { void *free; struct cache *cache; struct link list; };
struct slab { char bytes[4096 - sizeof(struct header)]; struct header header; };
struct cache { char name[6]; unsigned size; struct link list, full, partial, empty; };
extern struct cache cache;
struct link caches = {&cache.list, &cache.list};
__attribute__((aligned(4096))) struct slab slab = {{0}, {0, &cache, {&cache.full, &cache.full}}};
struct cache cache = {
    "first", 1000, {&caches, &caches}, {&slab.header.list, &slab.header.list},
    {&cache.partial, &cache.partial}, {&cache.empty, &cache.empty},
};
void _start(void) { for (;;); }
"""
STRUCTURES = """
[frame_table]
array = "{pages}"
count = "4"
free = "flags & 1"
order = "order"
users = "users"

[[free_lists]]
name = "buddy"
orders = "2"
head = "{free_lists}[order]"
link = "list"
previous = "previous"

[[free_lists]]
name = "stack"
head = "{top}"
style = "null"
nodes = "block"

[[header_chains]]
name = "linked"
first = "{first}"
header = "struct block"
size = "size"
next = "next"
magic = "magic == 0xB10C"

[[header_chains]]
name = "adjacent"
first = "{first}"
header = "struct block"
size = "size"
end = "{first} + 52"

[[caches]]
name = "objects"
caches = "{caches}"
cache = "struct cache"
link = "list"
previous = "previous"
label = "name"
size = "size"
pitch = "size"
first = "0"
capacity = "4000 / size"
bufctl = "0"
full = "full"
partial = "partial"
empty = "empty"
slab = "struct header"
slab_link = "list"
slab_header = "4096 - sizeof(struct header)"
slab_cache = "cache"
free = "free"
"""
TYPES = """
[[types]]
name = "struct link"
size = 8
[types.members]
next = { offset = 0, type = "struct link *" }
previous = { offset = 4, type = "struct link *" }
[[types]]
name = "struct page"
size = 12
[types.members]
flags = { offset = 0, type = "uint8_t" }
order = { offset = 1, type = "unsigned char" }
users = { offset = 2, type = "uint16_t" }
list = { offset = 4, type = "struct link" }
[[types]]
name = "struct frame"
size = 4096
[types.members]
next = { offset = 0, type = "struct frame *" }
[[types]]
name = "struct block"
size = 12
[types.members]
magic = { offset = 0, type = "uint32_t" }
size = { offset = 4, type = "uint32_t" }
next = { offset = 8, type = "struct block *" }
[[types]]
name = "struct header"
size = 16
[types.members]
free = { offset = 0, type = "void *" }
cache = { offset = 4, type = "struct cache *" } # declared below
list = { offset = 8, type = "struct link" }
[[types]]
name = "struct cache"
size = 44
[types.members]
name = { offset = 0, type = "char[6]" }
size = { offset = 8, type = "uint32_t" }
list = { offset = 12, type = "struct link" }
full = { offset = 20, type = "struct link" }
partial = { offset = 28, type = "struct link" }
empty = { offset = 36, type = "struct link" }
"""
TYPED = {
    "pages": "page_table",
    "free_lists": "free_lists",
    "top": "top",
    "first": "(char *)first",
    "caches": "caches",
}
RAW = {
    "pages": "*(struct page **)&page_table",
    "free_lists": "((struct link *)&free_lists)",
    "top": "*(struct frame **)&top",
    "first": "*(char **)&first",
    "caches": "*(struct link *)&caches",
}


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compile_kernel(tmp_path_factory.mktemp("image"), SOURCE, virtual=1 << 20)


@pytest.fixture(scope="module")
def stripped(image: Path) -> Path:
    path = image.with_name("stripped.elf")
    subprocess.run(["strip", "--strip-debug", image, "-o", path], check=True, timeout=60)
    return path


def state(image: Path, folder: Path, toml: str) -> MemoryState:
    path = folder / "harness.toml"
    path.write_text(toml)
    program = load(replace(load_kernel(image), description=load_description(path)))
    return decode(program.ram, UNPAGED, program.kernel)


def test_the_state_is_that_of_debug_information(
    image: Path, stripped: Path, tmp_path: Path
) -> None:
    typed = state(image, tmp_path, STRUCTURES.format(**TYPED))
    by_hand = state(stripped, tmp_path, TYPES + STRUCTURES.format(**RAW))
    assert list(every_fault(by_hand)) == []
    assert [chain.blocks["size"].tolist() for chain in by_hand.header_chains] == [[20, 8]] * 2
    assert [[len(one.frames) for one in lists.lists] for lists in by_hand.free_lists] == [
        [1, 1],
        [2],
    ]
    assert by_hand.frame_table is not None
    assert by_hand.frame_table.users.tolist() == [0, 7, 0, 0]
    assert [len(cache.slabs) for cache in by_hand.caches[0].caches] == [1]
    assert state_json(by_hand) == state_json(typed)


@pytest.mark.parametrize("names", [TYPED, RAW])
def test_debug_information_may_be_there_as_well(
    image: Path, tmp_path: Path, names: dict[str, str]
) -> None:
    typed = state(image, tmp_path, STRUCTURES.format(**TYPED))
    as_well = state(image, tmp_path, TYPES + STRUCTURES.format(**names))
    assert state_json(as_well) == state_json(typed)


@pytest.mark.parametrize("name", ["top", "&top"])
def test_a_symbol_without_a_type_is_its_address(stripped: Path, tmp_path: Path, name: str) -> None:
    toml = TYPES + STRUCTURES.format(**RAW).replace("**)&top", f"**){name}")
    assert [len(one.frames) for one in state(stripped, tmp_path, toml).free_lists[1].lists] == [2]


def test_the_first_dimension_is_the_outermost() -> None:
    outer = member_type("uint8_t[2][3]", {})
    assert (outer.size, outer.count, outer.target.count) == (6, 2, 3)


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("size = 12", "size = 16", 9, "its size is 12, not 16"),
        ("list = { offset = 4", "list = { offset = 3", 9, "list has 8 bytes at offset 4, not 8 at"),
        ('"uint16_t"', '"uint8_t"', 9, "users has 2 bytes at offset 2, not 1 at 2"),
        ("users =", "usres =", 9, "no member of struct page 'usres'; nearest: users"),
    ],
)
def test_debug_information_that_says_something_else(
    image: Path, tmp_path: Path, old: str, new: str, line: int, words: str
) -> None:
    with pytest.raises(DescriptionError) as caught:
        state(image, tmp_path, TYPES.replace(old, new, 1))
    assert f"harness.toml:{line}: types[1].name: the kernel's debug information" in str(
        caught.value
    )
    assert words in str(caught.value)
