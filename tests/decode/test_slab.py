"""Slab caches of a kernel that notes less than the bundled one, sound and broken."""

from __future__ import annotations

import pytest

from harness.decode.belief.slabs import Cache, Caches
from harness.decode.context import DescriptionMismatch
from harness.decode.decode import decode
from harness.decode.state import MemoryState
from tests.decode.conftest import Loader
from tests.decode.memory import UNPAGED, Loaded

SOURCE = """
struct link { struct link *next, *previous; };
struct header { void *free; struct cache *cache; struct link list; };
struct page { char bytes[4096 - sizeof(struct header)]; struct header header; };
struct cache { char name[6]; unsigned size, count; struct link list, full, partial, empty; };
extern struct cache first, second;
__attribute__((aligned(4096))) extern struct page pages[2];
struct link caches = {&first.list, &second.list};
struct cache first = {
    "first", 1000, 2, {&second.list, &caches}, {&pages[0].header.list, &pages[0].header.list},
    {&pages[1].header.list, &pages[1].header.list}, {&first.empty, &first.empty},
};
struct cache second = {
    "second", 8, 0, {&caches, &first.list}, {&second.full, &second.full},
    {&second.partial, &second.partial}, {&second.empty, &second.empty},
};
struct page pages[2] = {
    {{0}, {0, &first, {&first.full, &first.full}}},
    {{0}, {pages[1].bytes + 2000, &first, {&first.partial, &first.partial}}},
};
"""
TOML = """
[[caches]]
name = "objects"
caches = "caches"
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
slabs = "count"
"""


@pytest.fixture
def program(loader: Loader) -> Loaded:
    loaded = loader(SOURCE, TOML)
    pages = loaded.address("pages") + 4096
    loaded.ram.set_word(pages + 2000, pages + 1000)
    return loaded


def state(program: Loaded) -> MemoryState:
    return decode(program.ram, UNPAGED, program.kernel)


def caches(program: Loaded) -> Caches:
    [found] = state(program).caches
    return found


def first(program: Loaded) -> Cache:
    return caches(program).caches[0]


def test_caches_and_their_slabs(program: Loaded) -> None:
    found = caches(program)
    assert (found.name, found.owner, found.faults) == ("objects", "objects", ())
    assert [cache.name for cache in found.caches] == ["first", "second"]
    assert [len(cache.slabs) for cache in found.caches] == [2, 0]
    assert [(c.size, c.pitch, c.capacity) for c in found.caches] == [(1000, 1000, 4), (8, 8, 500)]
    assert [(c.slab_count, c.live_count, c.grows) for c in found.caches] == [
        (2, None, True),
        (0, None, True),
    ]


def test_the_free_objects_of_a_slab(program: Loaded) -> None:
    pages = program.address("pages")
    full, partial = first(program).slabs
    assert (full.listed, full.page, full.frame) == ("full", pages, pages // 4096)
    assert full.free.tolist() == []
    assert (partial.listed, partial.page) == ("partial", pages + 4096)
    assert partial.free.tolist() == [2, 1]
    assert partial.header_good
    assert (partial.live, partial.in_use, partial.damage) == (None, None, ())


def faults(program: Loaded) -> list[tuple[str, str]]:
    return [(fault.structure, fault.message) for fault in caches(program).faults]


def test_a_free_list_in_a_circle(program: Loaded) -> None:
    pages = program.address("pages") + 4096
    program.ram.set_word(pages + 1000, pages + 2000)
    assert faults(program) == [("objects, cache first", "the free list leads back into itself")]
    assert first(program).slabs[1].free.tolist() == [2, 1]


def test_a_cache_that_makes_no_sense_costs_only_itself(program: Loaded) -> None:
    program.ram.set_word(program.address("first") + program.offset("struct cache", "size"), 0)
    found = caches(program)
    assert [cache.name for cache in found.caches] == ["second"]
    [fault] = found.faults
    assert fault.structure == "objects, cache first"


def test_a_list_of_slabs_that_leads_out_of_memory(program: Loaded) -> None:
    where = program.address("first") + program.offset("struct cache", "partial")
    program.ram.set_word(where, 0x7FFFFFFC)
    kinds = {structure for structure, _ in faults(program)}
    assert kinds == {"objects, cache first"}
    assert [slab.listed for slab in first(program).slabs] == ["full"]


def test_a_list_of_caches_that_leads_back(program: Loaded) -> None:
    where = program.address("second") + program.offset("struct cache", "list")
    program.ram.set_word(where, program.address("first") + program.offset("struct cache", "list"))
    found = caches(program)
    assert [cache.name for cache in found.caches] == ["first", "second"]
    assert ("objects", "the list leads back into itself") in faults(program)


def test_slabs_that_all_caches_claim_are_walked_once_in_all(program: Loaded) -> None:
    """There are no more slabs than frames, though one that leads to itself is on six lists."""
    pages = program.address("pages")
    node = pages + 2 * 4096 - program.kernel.types.lookup("struct header").size
    node += program.offset("struct header", "list")
    for cache in ("first", "second"):
        for name in ("full", "partial", "empty"):
            where = program.address(cache) + program.offset("struct cache", name)
            program.ram.set_word(where, node)
    program.ram.set_word(node, node)
    found = caches(program)
    assert sum(len(cache.slabs) for cache in found.caches) <= len(program.ram.ranges[0]) // 4096
    assert any("back into itself" in fault.message for fault in found.faults)


def test_a_misspelt_member_for_the_states(loader: Loader) -> None:
    program = loader(SOURCE, TOML + 'state = "lits"\n')
    with pytest.raises(DescriptionMismatch, match=r"caches\[0\]\.state: no member .*nearest: list"):
        decode(program.ram, UNPAGED, program.kernel)
