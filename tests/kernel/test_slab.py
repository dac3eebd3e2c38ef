"""Slab caches' contract, asked through the console; bugs that others have had, by name."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest

from harness.decode.belief.slabs import Cache
from harness.image.kernel_image import KernelImage
from harness.machine.ending import EndingKind
from harness.machine.pool import Pool
from tests.kernel.layouts import both_layouts
from tests.kernel.session import MIB, PAGE, Session, booted

HEADER = 88
"""Bytes of a ``struct slab``."""
RED_ZONE, POISON, CONSTRUCTED = 0xBB, 0x6B, 0xC5


@pytest.fixture
def small(kernel: KernelImage, pool: Pool) -> Iterator[Session]:
    with booted(kernel, pool, 16 * MIB) as session:
        yield session


def create(session: Session, name: str, size: int, words: str = "") -> int:
    """Make a cache; return how many objects a slab of it has."""
    return session.ok(f"slab create {name} {size} {words}").number("capacity")


def alloc(session: Session, name: str) -> int:
    return session.ok(f"slab alloc {name}").number("virtual")


def release(session: Session, name: str, virtual: int) -> None:
    session.ok(f"slab free {name} {virtual:#x}")


def word(session: Session, virtual: int) -> int:
    return session.ok(f"read {virtual:#x}").number("value")


def show(session: Session, name: str, what: str) -> int:
    return session.ok(f"slab show {name}").number(what)


def cache(session: Session, name: str) -> Cache:
    """Return a cache as decoded from a guest that must be sound."""
    found = session.assert_sound().state.caches[0].caches
    return next(one for one in found if one.name == name)


def lists(session: Session, name: str) -> list[str]:
    return sorted(slab.listed for slab in cache(session, name).slabs)


@pytest.mark.parametrize(
    ("size", "words", "capacity"),
    [
        (1, "", 501),
        (8, "", 501),
        (9, "", 250),
        (16, "", 250),
        (100, "", 38),
        (500, "", 7),
        (512, "", 7),
        (512, "align 1024", 3),
        (1, "align 2048", 1),
        (8, "ctor", 250),
        (512, "debug", 7),
        (1, "debug align 64", 31),
    ],
)
def test_objects_are_aligned_disjoint_and_in_front_of_the_header(
    small: Session, size: int, words: str, capacity: int
) -> None:
    assert create(small, "a", size, words) == capacity
    objects = [alloc(small, "a") for _ in range(capacity)]
    align = int(words.partition("align ")[2] or 8)
    assert all(address % align == 0 for address in objects)
    ordered = sorted(objects)
    assert all(b - a >= size for a, b in pairwise(ordered))
    assert ordered[-1] + size <= ordered[0] // PAGE * PAGE + PAGE - HEADER
    assert len({address // PAGE for address in objects}) == 1
    assert lists(small, "a") == ["full"]
    another = alloc(small, "a")
    assert another // PAGE != objects[0] // PAGE


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a" * 24, "8"),
        ("caches", "8"),
        ("a", "0"),
        ("a", "513"),
        ("a", "0xFFFFFFFF"),
        ("a", "8 align 24"),
        ("a", "8 align 4096"),
        ("a", "8 align 0x80000000"),
        ("a", "512 align 2048 debug"),
    ],
)
def test_options_that_cannot_be_are_refused(small: Session, name: str, words: str) -> None:
    before = small.zone()
    assert small.error(f"slab create {name} {words}") == "range"
    assert small.zone() == before


def test_names_of_the_longest_length_and_alignment_below_the_least(small: Session) -> None:
    name = "n" * 23
    assert create(small, name, 3, "align 1") == 501
    assert alloc(small, name) % 8 == 0
    assert name in small.ok("slab list").values["names"].split(",")


def test_a_cache_is_made_from_a_cache(small: Session) -> None:
    """Records of caches are objects too, and go with the last cache."""
    count = small.ok("slab list").number("caches")
    free = small.zone().free
    for i in range(50):
        create(small, f"c{i}", 16)
    assert len(cache(small, "caches").slabs) == 2
    for i in range(50):
        small.ok(f"slab destroy c{i}")
    assert small.ok("slab list").number("caches") == count
    small.ok("slab reap caches")
    assert small.zone().free == free
    assert small.error("slab destroy caches") == "state"


def test_an_object_of_no_cache_is_no_answer(small: Session) -> None:
    for command in ("alloc nobody", "free nobody 0", "destroy nobody", "show nobody"):
        assert small.error(f"slab {command}") == "state"
    for command in ("", "alloc", "create a", "create a 8 align", "create a 8 odd", "grow a b"):
        assert small.error(f"slab {command}") == "usage"


def test_freeing_null_does_nothing(small: Session) -> None:
    create(small, "a", 32)
    small.ok("slab free a 0")
    assert show(small, "a", "live") == 0


class TestLists:
    """A slab is on the list that its free objects say."""

    def test_a_slab_moves_between_full_partial_and_empty(self, small: Session) -> None:
        capacity = create(small, "a", 512)
        objects = [alloc(small, "a") for _ in range(capacity)]
        assert lists(small, "a") == ["full"]
        for address in objects[:-1]:
            release(small, "a", address)
            assert lists(small, "a") == ["partial"]
        release(small, "a", objects[-1])
        assert lists(small, "a") == ["empty"]
        alloc(small, "a")
        assert lists(small, "a") == ["partial"]

    def test_the_slab_that_changed_its_list_last_is_the_first_one(self, small: Session) -> None:
        capacity = create(small, "a", 512)
        objects = [alloc(small, "a") for _ in range(3 * capacity)]
        for address in (objects[0], objects[capacity], objects[-1], objects[1]):
            release(small, "a", address)
        given = [alloc(small, "a") for _ in range(4)]
        assert given == [objects[-1], objects[capacity], objects[1], objects[0]]

    def test_an_object_goes_back_into_its_own_slab(self, small: Session) -> None:
        """apoptOS: free puts it into the first slab with room, whosever it is."""
        capacity = create(small, "a", 512)
        objects = [alloc(small, "a") for _ in range(3 * capacity)]
        release(small, "a", objects[0])
        release(small, "a", objects[-1])
        release(small, "a", objects[capacity])
        for slab in cache(small, "a").slabs:
            assert len(slab.free) == 1

    def test_growing_orphans_no_slab(self, small: Session) -> None:
        """apoptOS: growing resets the cursor, and every third slab is lost."""
        create(small, "a", 512, "nogrow")
        for _ in range(7):
            small.ok("slab grow a")
        objects = [alloc(small, "a") for _ in range(7 * 7)]
        assert len(set(objects)) == 49
        assert small.error("slab alloc a") == "memory"
        assert lists(small, "a") == ["full"] * 7

    def test_growing_changes_no_other_slab_s_capacity(self, small: Session) -> None:
        """apoptOS: a slab without alignment has one object less, and then all have."""
        capacity = create(small, "a", 256, "nogrow")
        for _ in range(3):
            small.ok("slab grow a")
        assert show(small, "a", "capacity") == capacity
        assert [len(slab.free) for slab in cache(small, "a").slabs] == [capacity] * 3

    def test_a_cache_grows_by_itself_only_if_it_may(self, small: Session) -> None:
        create(small, "fixed", 64, "nogrow")
        create(small, "growing", 64)
        free = small.zone().free
        assert small.error("slab alloc fixed") == "memory"
        assert (show(small, "fixed", "failures"), small.zone().free) == (1, free)
        alloc(small, "growing")
        assert small.zone().free == free - 1


class TestEmptySlabs:
    """They are given back."""

    def test_one_is_kept_and_the_next_one_goes_back(self, small: Session) -> None:
        capacity = create(small, "a", 512)
        objects = [alloc(small, "a") for _ in range(4 * capacity)]
        free = small.zone().free
        for address in objects:
            release(small, "a", address)
        assert lists(small, "a") == ["empty"]
        assert small.zone().free == free + 3

    def test_a_cache_that_was_told_to_grow_keeps_what_it_has(self, small: Session) -> None:
        create(small, "a", 512, "nogrow")
        for _ in range(3):
            small.ok("slab grow a")
        free = small.zone().free
        objects = [alloc(small, "a") for _ in range(21)]
        for address in objects:
            release(small, "a", address)
        assert small.zone().free == free
        assert small.ok("slab reap a").number("frames") == 3
        assert small.zone().free == free + 3
        small.assert_sound()

    def test_reaping_leaves_slabs_with_live_objects(self, small: Session) -> None:
        create(small, "a", 32)
        address = alloc(small, "a")
        small.ok("slab grow a")
        assert small.ok("slab reap a").number("frames") == 1
        assert small.ok("slab reap a").number("frames") == 0
        assert lists(small, "a") == ["partial"]
        release(small, "a", address)

    def test_destroying_touches_no_slab_that_it_freed(self, small: Session) -> None:
        """apoptOS: destroy reads the next slab out of the one that it has just freed."""
        free = small.zone().free
        create(small, "a", 512, "nogrow")
        for _ in range(5):
            small.ok("slab grow a")
        small.ok("slab destroy a")
        small.ok("slab reap caches")
        assert small.zone().free == free
        assert small.error("slab show a") == "state"
        small.assert_sound()

    def test_a_cache_with_live_objects_is_not_destroyed(self, small: Session) -> None:
        create(small, "a", 32)
        address = alloc(small, "a")
        assert small.error("slab destroy a") == "state"
        release(small, "a", address)
        small.ok("slab destroy a")
        small.assert_sound()


def test_without_a_frame_there_is_no_object_and_no_panic(small: Session) -> None:
    """apoptOS: an allocation panics when a cache is full and there is no memory."""
    create(small, "a", 512)
    blocks = small.exhaust()
    assert small.error("slab alloc a") == "memory"
    assert small.error("slab grow a") == "memory"
    small.assert_sound()
    small.free_all(blocks)
    alloc(small, "a")
    small.assert_sound()


class TestOwner:
    """Which cache and object any address is in."""

    def test_every_byte_of_an_object_leads_to_it(self, small: Session) -> None:
        create(small, "a", 20)
        alloc(small, "a")
        address = alloc(small, "a")
        for offset in (0, 7, 19):
            answer = small.ok(f"slab owner {address + offset:#x}")
            assert answer.values == {"cache": "a", "object": f"{address:#010x}", "state": "live"}
        release(small, "a", address)
        assert small.ok(f"slab owner {address:#x}").values["state"] == "free"

    def test_what_lies_between_objects_is_nobody_s(self, small: Session) -> None:
        create(small, "a", 20)
        address = alloc(small, "a")
        page = address // PAGE * PAGE
        for other in (address + 20, page + PAGE - HEADER, page + PAGE - 1):
            assert small.error(f"slab owner {other:#x}") == "state"

    @pytest.mark.parametrize("address", [0, 8, 0x1000, 0xC0100000, 0xF8400000, 0xFFFFFFFF])
    def test_any_address_may_be_asked_for(self, small: Session, address: int) -> None:
        assert small.error(f"slab owner {address:#x}") == "state"

    def test_a_copy_of_a_slab_is_none(self, small: Session) -> None:
        """Its header says where it was; elsewhere it is only data."""
        create(small, "a", 512)
        page = alloc(small, "a") // PAGE * PAGE
        frame = small.alloc(0) + page - cache(small, "a").slabs[0].frame * PAGE
        for offset in range(PAGE - HEADER, PAGE, 4):
            small.ok(f"write {frame + offset:#x} {word(small, page + offset):#x}")
        assert small.error(f"slab owner {frame:#x}") == "state"

    def test_a_slab_that_was_given_back_is_none(self, small: Session) -> None:
        create(small, "a", 64)
        address = alloc(small, "a")
        release(small, "a", address)
        small.ok("slab reap a")
        assert small.error(f"slab owner {address:#x}") == "state"


def wrong(session: Session, name: str, virtual: int) -> str:
    """Free what may not be freed; return what the kernel says of it, asked first and then."""
    asked = session.guest.monitor.command(f"slab check {name} {virtual:#x}")
    assert not asked.ok
    words = asked.text.removeprefix(f"state: {virtual:#010x}: ")
    ending = session.panic(f"slab free {name} {virtual:#x}")
    assert ending.kind is EndingKind.PANIC
    assert ending.message == f"slab: {name}: {virtual:#010x} freed: {words}"
    return words


class TestWrongFrees:
    """Each is caught, and says what it is."""

    def test_a_double_free(self, small: Session) -> None:
        create(small, "a", 64)
        alloc(small, "a")
        address = alloc(small, "a")
        release(small, "a", address)
        assert wrong(small, "a", address) == "free already"

    def test_a_double_free_after_the_slab_went(self, small: Session) -> None:
        create(small, "a", 64)
        address = alloc(small, "a")
        release(small, "a", address)
        small.ok("slab reap a")
        assert wrong(small, "a", address) == "in no slab"

    def test_an_object_of_another_cache(self, small: Session) -> None:
        create(small, "a", 64)
        create(small, "b", 64)
        alloc(small, "a")
        assert wrong(small, "a", alloc(small, "b")) == "an object of another cache"

    @pytest.mark.parametrize("offset", [1, 8, 32, -8])
    def test_a_pointer_into_an_object(self, small: Session, offset: int) -> None:
        create(small, "a", 64)
        alloc(small, "a")
        address = alloc(small, "a")
        assert wrong(small, "a", address + offset) == "not the start of an object"

    def test_a_pointer_to_the_header(self, small: Session) -> None:
        create(small, "a", 512)
        page = alloc(small, "a") // PAGE * PAGE
        assert wrong(small, "a", page + PAGE - HEADER) == "not the start of an object"

    @pytest.mark.parametrize("address", [8, 0xC0100000, 0xC2000000, 0xF8400008, 0xFFFFFFF8])
    def test_a_foreign_pointer(self, small: Session, address: int) -> None:
        create(small, "a", 64)
        alloc(small, "a")
        assert wrong(small, "a", address) == "in no slab"


class TestConstructors:
    """Objects are built once, with their slab, and stay built while they are free."""

    def test_constructed_state_survives_freeing(self, small: Session) -> None:
        create(small, "a", 64, "ctor")
        address = alloc(small, "a")
        for offset in range(0, 64, 4):
            assert word(small, address + offset) == CONSTRUCTED * 0x01010101
        small.ok(f"write {address + 60:#x} 0x12345678")
        release(small, "a", address)
        assert alloc(small, "a") == address
        assert word(small, address) == CONSTRUCTED * 0x01010101
        assert word(small, address + 60) == 0x12345678

    @pytest.mark.parametrize("words", ["ctor", "ctor debug"])
    def test_each_object_is_built_and_undone_once(self, small: Session, words: str) -> None:
        capacity = create(small, "a", 64, words)
        objects = [alloc(small, "a") for _ in range(capacity + 1)]
        assert show(small, "a", "constructed") == 2 * capacity
        for address in objects:
            release(small, "a", address)
        assert show(small, "a", "destructed") == capacity
        small.ok("slab reap a")
        assert show(small, "a", "destructed") == 2 * capacity
        small.assert_sound()


class TestDebug:
    """What is written where nobody may is found, to the byte."""

    @pytest.mark.parametrize("size", [1, 20, 64, 300])
    @pytest.mark.parametrize(
        ("place", "words"),
        [(-1, "byte 1 before its start"), (-8, "byte 8 before its start")],
    )
    def test_a_byte_before_an_object(
        self, small: Session, size: int, place: int, words: str
    ) -> None:
        create(small, "a", size, "debug")
        address = alloc(small, "a")
        small.ok(f"fill {address + place:#x} 1 0x41")
        said = f"{words} is 0x41, not 0xbb: written by somebody else"
        assert wrong(small, "a", address) == said

    @pytest.mark.parametrize("size", [1, 20, 64, 300])
    @pytest.mark.parametrize("place", [0, 7])
    def test_a_byte_behind_an_object(self, small: Session, size: int, place: int) -> None:
        create(small, "a", size, "debug")
        alloc(small, "a")
        address = alloc(small, "a")
        small.ok(f"fill {address + size + place:#x} 1 0")
        said = f"byte {place} behind its end is 0x00, not 0xbb: written by somebody else"
        assert wrong(small, "a", address) == said

    @pytest.mark.parametrize("offset", [0, 13, 23])
    def test_a_write_after_free(self, small: Session, offset: int) -> None:
        create(small, "a", 24, "debug")
        alloc(small, "a")
        address = alloc(small, "a")
        release(small, "a", address)
        small.ok(f"fill {address + offset:#x} 1 0x42")
        assert [v.kind for v in small.inspect().violations] == ["slab.poison"]
        ending = small.panic("slab alloc a")
        assert ending.message == (
            f"slab: a: {address:#010x}: byte {offset} of it, which is free, is 0x42, not 0x6b: "
            "written by somebody else"
        )

    def test_a_write_after_free_is_found_when_the_slab_goes(self, small: Session) -> None:
        create(small, "a", 24, "debug")
        address = alloc(small, "a")
        release(small, "a", address)
        small.ok(f"fill {address + 5:#x} 1 0x42")
        assert "byte 5 of it" in str(small.panic("slab reap a").message)

    def test_the_whole_object_may_be_written(self, small: Session) -> None:
        create(small, "a", 21, "debug")
        address = alloc(small, "a")
        assert word(small, address) == POISON * 0x01010101
        small.ok(f"fill {address:#x} 21 0xff")
        release(small, "a", address)
        small.assert_sound()

    def test_a_constructed_object_is_not_poisoned(self, small: Session) -> None:
        create(small, "a", 24, "debug ctor")
        address = alloc(small, "a")
        small.ok(f"fill {address:#x} 24 0x11")
        release(small, "a", address)
        small.assert_sound()
        assert word(small, address) == 0x11111111


def test_a_free_list_that_leads_astray_is_caught(small: Session) -> None:
    """Without debugging too: somebody wrote into a free object, where the link is."""
    create(small, "a", 64)
    first, second = alloc(small, "a"), alloc(small, "a")
    release(small, "a", second)
    small.ok(f"write {second:#x} {first:#x}")
    assert alloc(small, "a") == second
    ending = small.panic("slab alloc a")
    assert ending.message == (
        f"slab: a: the free list of slab {first // PAGE * PAGE:#010x} leads to {first:#010x}, "
        "which is no free object"
    )


def test_an_object_that_runs_over_the_header_is_caught(small: Session) -> None:
    """The header's first word is its mark."""
    create(small, "a", 512)
    page = alloc(small, "a") // PAGE * PAGE
    small.ok(f"write {page + PAGE - HEADER:#x} 0x41414141")
    ending = small.panic("slab alloc a")
    assert ending.message == f"slab: a: the header of slab {page:#010x} is overwritten"


@both_layouts
def test_slabs_in_either_layout(kernel: KernelImage, pool: Pool) -> None:
    with booted(kernel, pool, 16 * MIB) as session:
        create(session, "a", 100, "debug align 16")
        objects = [alloc(session, "a") for _ in range(40)]
        session.assert_sound()
        for address in objects:
            release(session, "a", address)
        session.ok("slab destroy a")
        session.assert_sound()
