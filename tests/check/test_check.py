"""A correct state is silent; each thing broken in it is reported, in words, at the right place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.check.check import check, examine
from harness.check.findings import LIMIT
from harness.check.model import Model
from harness.check.violation import Violation
from harness.decode.belief.fault import DecodeFault
from harness.decode.belief.frames import FrameTable
from harness.decode.belief.heaps import HeapArea, Magic
from harness.decode.belief.paging import MAPPING
from harness.decode.state import MemoryState
from tests.check import example
from tests.check.example import BASE, HEAP_START, PAGE

Break = Callable[[MemoryState], MemoryState]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return example.model(tmp_path_factory.mktemp("example"))


def test_a_correct_state_is_silent(model: Model) -> None:
    assert check(model, example.state()) == ()


def in_table(column: str, frame: int, value: int) -> Break:
    """Write one element of a frame table's column, or of an owner's."""

    def apply(state: MemoryState) -> MemoryState:
        table = state.frame_table
        assert isinstance(table, FrameTable)
        if column in table.owners:
            changed = {**table.owners, column: written(table.owners[column], frame, value)}
            return replace(state, frame_table=replace(table, owners=changed))
        array = written(getattr(table, column), frame, value)
        return replace(state, frame_table=replace(table, **{column: array}))

    return apply


def written(array: np.ndarray, index: int, value: int) -> np.ndarray:
    copy = array.copy()
    copy[index] = value
    return copy


def in_mapping(virtual: int, **fields: Any) -> Break:
    """Change fields of the page that is mapped at ``virtual``."""

    def apply(state: MemoryState) -> MemoryState:
        mappings = state.page_tables.mappings.copy()
        index = mappings["virtual"].tolist().index(virtual)
        for name, value in fields.items():
            mappings[name][index] = value
        return with_mappings(state, mappings)

    return apply


def with_mappings(state: MemoryState, mappings: np.ndarray) -> MemoryState:
    ordered = mappings[np.argsort(mappings["virtual"])]
    return replace(state, page_tables=replace(state.page_tables, mappings=ordered))


def unmap(virtual: int) -> Break:
    def apply(state: MemoryState) -> MemoryState:
        mappings = state.page_tables.mappings
        return with_mappings(state, mappings[mappings["virtual"] != virtual])

    return apply


def map_page(virtual: int, frame: int, **rights: bool) -> Break:
    def apply(state: MemoryState) -> MemoryState:
        row = np.array([example.mapping(virtual, frame, **rights)], dtype=MAPPING)
        return with_mappings(state, np.concatenate((state.page_tables.mappings, row)))

    return apply


def in_list(zone: int, order: int, change: Callable[[list[int]], list[int]]) -> Break:
    def apply(state: MemoryState) -> MemoryState:
        found = next(
            one for one in state.free_lists[0].lists if (one.zone, one.order) == (zone, order)
        )
        return example.with_list(state, zone, order, change(found.frames.tolist()))

    return apply


def in_free_lists(**fields: Any) -> Break:
    return lambda state: replace(state, free_lists=(replace(state.free_lists[0], **fields),))


def in_heap(**fields: Any) -> Break:
    return lambda state: replace(state, heaps=(replace(state.heaps[0], **fields),))


def in_area(index: int, **fields: Any) -> Break:
    def apply(state: MemoryState) -> MemoryState:
        areas = list(state.heaps[0].areas)
        areas[index] = replace(areas[index], **fields)
        return in_heap(areas=tuple(areas))(state)

    return apply


def in_block(**fields: Any) -> Break:
    def apply(state: MemoryState) -> MemoryState:
        block = state.heaps[0].areas[1].block
        assert block is not None
        return in_area(1, block=replace(block, **fields))(state)

    return apply


def in_registers(**fields: int) -> Break:
    return lambda state: replace(state, registers=replace(state.registers, **fields))


def in_tables(frame: int, virtual: int) -> Break:
    """Make the walk reach one more table."""

    def apply(state: MemoryState) -> MemoryState:
        tables = state.page_tables
        return replace(
            state,
            page_tables=replace(
                tables,
                tables=np.append(tables.tables, np.uint64(frame * PAGE)),
                table_virtual=np.append(tables.table_virtual, np.uint64(virtual)),
            ),
        )

    return apply


def with_fault(fault: DecodeFault) -> Break:
    return lambda state: replace(state, faults=(*state.faults, fault))


def in_map(index: int, **fields: Any) -> Break:
    def apply(state: MemoryState) -> MemoryState:
        regions = list(state.firmware_map or ())
        regions[index] = replace(regions[index], **fields)
        return replace(state, firmware_map=tuple(regions))

    return apply


used = HEAP_START + 2 * PAGE
FREE_FRAME = 0x300
"""Inside the free block of order 9 that fills the normal zone."""
FAULT = DecodeFault("buddy", "the list ends nowhere", (0xC0001000, 0xDEAD0000))

BROKEN: list[tuple[str, Break, str, str]] = [
    # What is broken, how, the violation's kind, and words of its message.
    ("free frame of the image", in_list(0, 0, lambda f: [*f, 0x100]), "frames.free-reserved",
     "frame 0x100 (physical 0x100000) is free, but belongs to the kernel's image"),
    ("free module", in_list(0, 0, lambda f: [*f, 9]), "frames.free-reserved",
     "frame 0x9 (physical 0x9000) is free, but holds the boot loader's module"),
    ("free frame 0", in_list(0, 0, lambda f: [*f, 0]), "frames.free-reserved",
     "frame 0x0 (physical 0x0) is free, but is frame 0"),
    ("free hole", in_list(0, 0, lambda f: [*f, 0x9F]), "frames.free-reserved",
     "frame 0x9f (physical 0x9f000) is free, but is not usable RAM"),
    ("free page table", in_list(0, 0, lambda f: [*f, 0x120]), "frames.two-owners",
     "frame 0x120 (physical 0x120000) is owned by both free and page table"),
    ("free heap frame", in_list(2, 0, lambda f: [*f, 0x480]), "frames.two-owners",
     "frame 0x480 (physical 0x480000) is owned by both free and heap blocks"),
    ("free record", in_list(0, 0, lambda f: [*f, 0x140]), "frames.two-owners",
     "owned by both free and metadata area records"),
    ("free frame that a caller holds", in_list(0, 1, lambda f: [*f, 0x150]), "frames.two-owners",
     "frames 0x150-0x151 (2, physical 0x150000-0x151fff) are owned by both free and held"),
    ("block dropped from its list", in_list(1, 9, lambda f: f[1:]), "frames.leaked",
     "frames 0x200-0x3ff (512, physical 0x200000-0x3fffff) are neither free nor owned"),
    ("heap frame that is a page table", in_mapping(used, physical=0x121 * PAGE),
     "frames.two-owners", "frame 0x121 (physical 0x121000) is owned by both page table and heap"),
    ("heap frame in the image", in_mapping(used, physical=0x102 * PAGE), "frames.owned-reserved",
     "is owned by heap blocks, but belongs to the kernel's image"),
    ("held bit lost", in_table("held", 0x150, 0), "frames.leaked", "frame 0x150 "),
    ("two blocks overlap", in_list(1, 0, lambda f: [*f, 0x300]), "free-lists.overlap",
     "frame 0x300 (physical 0x300000) is in more than one free block"),
    ("misaligned block", in_list(1, 9, lambda f: [0x180]), "free-lists.alignment",
     "frame 0x180 (physical 0x180000, order 9) on a list of zone normal is not aligned"),
    ("block in the wrong zone", in_list(0, 0, lambda f: [*f, 0x300]), "free-lists.zone",
     "is on a list of zone dma, but lies in zone normal"),
    ("block across a border", in_list(1, 10, lambda f: [0x0]), "free-lists.crosses-zones",
     "frame 0x0 (physical 0x0, order 10)"),
    ("block beyond memory", in_list(2, 3, lambda f: [*f, 0x500]), "free-lists.outside",
     "frame 0x500 (physical 0x500000, order 3)"),
    ("unmerged buddies",
     lambda state: in_list(1, 8, lambda f: [0x300, 0x200])(in_list(1, 9, lambda f: [])(state)),
     "free-lists.unmerged", "frame 0x200 (physical 0x200000, order 8)"),
    ("counter of a list", lambda state: example.with_list(state, 1, 9, [0x200], count=2),
     "free-lists.blocks-counter", "order 9 in zone normal says 2, but 1 is on the list"),
    ("counter of a zone", in_free_lists(free_frames={1: 511}), "free-lists.frames-counter",
     "in zone normal says 511, but 512 are on its lists"),
    ("managed frames", in_free_lists(managed_frames={1: 513}), "free-lists.managed-counter",
     "manages 513 frames in zone normal, but 512"),
    ("free flag cleared", in_table("free", 0x200, 0), "frame-table.unmarked",
     "frame 0x200 (physical 0x200000) is on a free list, but not marked"),
    ("free flag set", in_table("free", 0x210, 1), "frame-table.unlisted",
     "frame 0x210 (physical 0x210000) is marked as free, but on no free list"),
    ("order of a free block", in_table("order", 0x200, 8), "frame-table.order",
     "frame 0x200 (physical 0x200000) is on a free list of order 9, but noted with order 8"),
    ("zone", in_table("zone", 0x300, 2), "frame-table.zone",
     "frame 0x300 (physical 0x300000) is in zone normal, but noted in high"),
    ("reserved bit set", in_table("reserved", 0x300, 1), "frame-table.reserved",
     "frame 0x300 (physical 0x300000) is marked as reserved without a reason"),
    ("reserved bit of the image cleared", in_table("reserved", 0x101, 0), "frame-table.reserved",
     "frame 0x101 (physical 0x101000) is not marked as reserved, but must be"),
    ("users of a free frame", in_table("users", 0x3FF, 1), "frame-table.users", "frame 0x3ff "),
    ("users of a held frame", in_table("users", 0x151, 0), "frame-table.users", "frame 0x151 "),
    ("two users of a held frame", in_table("users", 0x151, 2), "frame-table.users",
     "frame 0x151 (physical 0x151000) is noted with 2 users, but has one owner"),
    ("three users of a page table", in_table("users", 0x121, 3), "frame-table.users",
     "frame 0x121 (physical 0x121000) is noted with 3 users, but has one owner"),
    ("page table bit lost", in_table("page table", 0x121, 0), "frame-table.owner",
     "frame 0x121 (physical 0x121000) is used as page table, but not marked"),
    ("page table bit of a free frame", in_table("page table", 0x300, 1), "frame-table.owner",
     "frame 0x300 (physical 0x300000) is marked as page table, but nothing"),
    ("heap bit lost", in_table("heap", 0x480, 0), "frame-table.owner", "used as heap"),
    ("metadata bit lost", in_table("metadata", 0x140, 0), "frame-table.owner", "frame 0x140 "),
    ("linear page missing", unmap(BASE + 0x234000), "paging.missing",
     "page at virtual 0xc0234000 is not mapped, but belongs to the direct map"),
    ("linear page elsewhere", in_mapping(BASE + 0x234000, physical=0x235000),
     "paging.wrong-frame", "page at virtual 0xc0234000 "),
    ("text writable", in_mapping(BASE + 0x101000, writable=True), "paging.writable",
     "page at virtual 0xc0101000 is writable, but must not be"),
    ("data read-only", in_mapping(BASE + 0x102000, writable=False), "paging.not-writable",
     "page at virtual 0xc0102000 is not writable, but must be"),
    ("linear page for users", in_mapping(BASE + 0x200000, user=True), "paging.user", "0xc0200000"),
    ("linear page not global", in_mapping(BASE + 0x200000, global_=False), "paging.not-global",
     "0xc0200000"),
    ("linear page without cache", in_mapping(BASE + 0x200000, entry=0x200113), "paging.uncached",
     "page at virtual 0xc0200000 is RAM, but not cached as such: PCD or PWT is set"),
    ("linear page with write-through", in_mapping(BASE + 0x200000, entry=0x20010B),
     "paging.uncached", "0xc0200000"),
    ("linear page with a user's entry", in_mapping(BASE + 0x200000, entry=0x200107),
     "paging.user-entry", "U/S is set in its entry"),
    ("window with a user's entry", in_mapping(example.WINDOW, entry=0x77107),
     "paging.user-entry", "page at virtual 0xffc00000 is closed to user programs only by"),
    ("heap page without cache", in_mapping(used, entry=0x480113), "heap.uncached",
     "page at virtual 0xf8402000 is blocks's, but not cached"),
    ("page 0 mapped", map_page(BASE, 0), "paging.guard", "page at virtual 0xc0000000 is mapped"),
    ("guard mapped", map_page(BASE + 0x103000, 0x103), "paging.guard", "0xc0103000"),
    ("hole mapped", map_page(BASE + 0xA0000, 0xA0), "paging.extra",
     "page at virtual 0xc00a0000 is mapped in the direct map, but its frame is neither"),
    ("stray page", map_page(0xF0000000, 0x150), "paging.stray", "virtual 0xf0000000"),
    ("page below the kernel", map_page(0x1000, 0x120), "paging.user-space", "virtual 0x1000"),
    ("free frame below the kernel", map_page(0x1000, 0x300), "paging.maps-free", "virtual 0x1000"),
    ("window for users", in_mapping(example.WINDOW, user=True), "paging.user", "0xffc00000"),
    ("shared table", in_tables(0x121, 0xD0000000), "paging.shared-table",
     "physical 0x121000 is reached more than once: for virtual 0xc0000000 and 0xd0000000"),
    ("table on a free frame", in_tables(0x300, 0xD0000000), "frames.two-owners", "frame 0x300 "),
    ("CR0.WP clear", in_registers(cr0=0x80000001), "paging.write-protect", "CR0.WP"),
    ("CR0.PG clear", in_registers(cr0=0x10001), "paging.off", "CR0.PG"),
    ("CR4.PGE clear", in_registers(cr4=0), "paging.global-off", "CR4.PGE"),
    ("heap page missing", unmap(used + PAGE), "heap.unmapped", "page at virtual 0xf8403000 "),
    ("free area mapped", map_page(HEAP_START, 0x151), "heap.mapped-free", "0xf8400000 "),
    ("heap page read-only", in_mapping(used, writable=False), "heap.read-only", "0xf8402000 "),
    ("frame twice in the heap", in_mapping(used, physical=0x4C0 * PAGE), "heap.shared-frame",
     "frame 0x4c0 (physical 0x4c0000) is behind 2 pages"),
    ("gap", in_area(2, start=HEAP_START + 5 * PAGE), "heap.gap",
     "must begin at virtual 0xf8404000"),
    ("overlap", in_area(2, start=HEAP_START + 3 * PAGE), "heap.overlap", "0xf8403000"),
    ("end", in_area(2, pages=11), "heap.end", "end at virtual 0xf840f000"),
    ("empty area", in_area(0, pages=0), "heap.empty", "0xf8400000"),
    ("free neighbours", in_area(1, used=False, block=None), "heap.unmerged", "0xf8402000"),
    ("header not mapped", in_area(1, block=None), "heap.header", "0xf8402000"),
    ("magic", in_block(magic_good=False), "heap.magic", "header at virtual 0xf8402000"),
    ("value of a magic", in_block(magic_good=False, magic=Magic(used + 4, 0xBAD, 0xC0FFEE)),
     "heap.magic",
     "has a wrong magic number: 0xbad at virtual 0xf8402004, where 0xc0ffee must be"),
    ("size too large", in_block(size=8185), "heap.size", "8185 bytes, which with the header"),
    ("size too small", in_block(size=4088), "heap.size", "with the header need 1 page"),
    ("size zero", in_block(size=0), "heap.size", "says 0 bytes"),
    ("count of blocks", in_heap(blocks=2), "heap.counter",
     "the counter of blocks's live blocks says 2, but it must be 1"),
    ("count of bytes", in_heap(bytes=5001), "heap.counter",
     "live bytes says 5001, but it must be 5000"),
    ("count of frames", in_heap(frames=3), "heap.counter", "live frames says 3, but it must be 2"),
    ("region too short", in_map(2, start=0x102), "firmware-map.missing",
     "frames 0x100-0x101 (2, physical 0x100000-0x101fff) are usable RAM, but not in"),
    ("region too long", in_map(2, end=0x501), "firmware-map.extra",
     "frame 0x500 (physical 0x500000) is usable in the kernel's own map, but not"),
    ("hole that became usable", in_map(1, usable=True), "firmware-map.extra", "frame 0x9f "),
    ("backward region", in_map(1, end=0x9F), "firmware-map.region",
     "region 1 of the kernel's own map begins at frame 0x9f and ends before frame 0x9f: it is "
     "empty"),
    ("region beyond 4 GiB", in_map(2, end=0x100001), "firmware-map.region",
     "ends before frame 0x100001: it leaves the 0x100000 frames below 4 GiB"),
    ("overlapping regions", in_map(0, end=0xA0), "firmware-map.order",
     "region 1 of the kernel's own map begins at frame 0x9f, but the one before it ends at frame "
     "0xa0"),
    ("fault of a decoder", with_fault(FAULT), "decode.buddy",
     "the list ends nowhere (by way of 0xc0001000 -> 0xdead0000)"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("apply", "kind", "words"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN]
)
def test_each_broken_thing_is_reported(model: Model, apply: Break, kind: str, words: str) -> None:
    found = check(model, apply(example.state()))
    assert any(one.kind == kind and words in one.message for one in found), "\n".join(
        f"{one.kind}: {one.message}" for one in found
    )


def test_every_kind_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "invariants.md").read_text()
    for _, _, kind, _ in BROKEN:
        plain = kind.replace("not-", "")
        assert kind in text or plain in text or kind.startswith("decode."), kind


def test_every_violation_names_a_property(model: Model) -> None:
    for _, apply, _, _ in BROKEN:
        for one in check(model, apply(example.state())):
            assert one.properties, one
            assert all(name in {f"V{number}" for number in range(1, 12)} for name in one.properties)


def test_the_address_is_where_to_look(model: Model) -> None:
    def first(apply: Break, kind: str) -> Violation:
        return next(one for one in check(model, apply(example.state())) if one.kind == kind)

    frame = first(in_list(0, 0, lambda f: [*f, 0x120]), "frames.two-owners")
    assert (frame.address, frame.physical) == (0x120000, True)
    page = first(unmap(BASE + 0x234000), "paging.missing")
    assert (page.address, page.physical) == (0xC0234000, False)


def test_many_violations_of_a_kind_are_bounded_and_counted(model: Model) -> None:
    table = example.state().frame_table
    assert table is not None
    every_second = table.users.copy()
    every_second[0x200:0x400:2] = 1
    broken = replace(example.state(), frame_table=replace(table, users=every_second))
    found = check(model, broken)
    assert len(found) == LIMIT + 1
    assert found[-1].message == f"… and {0x100 - LIMIT} more of this kind"


def test_a_held_frame_may_be_mapped_below_the_kernel(model: Model) -> None:
    assert check(model, map_page(0x1000, 0x150, user=True)(example.state())) == ()


def test_heap_areas_that_claim_absurd_ranges_end(model: Model) -> None:
    areas = (HeapArea(0, 0xFFFFFFFF, True, None), HeapArea(0xFFFFFFFF, -1, True, None))
    kinds = {one.kind for one in check(model, in_heap(areas=areas)(example.state()))}
    assert {"heap.overlap", "heap.gap", "heap.empty"} & kinds


def test_the_summary_accounts_for_every_usable_frame(model: Model) -> None:
    summary = examine(model, example.state()).summary
    assert summary.usable_bytes == len(example.usable()) * PAGE
    assert summary.free_bytes + sum(summary.lost.values()) * PAGE == summary.usable_bytes
    assert summary.largest_free_block == 512 * PAGE
    assert summary.lost == {
        "kernel image": 5,
        "metadata frame table": 4,
        "page table": 3,
        "heap blocks": 2,
        "held": 2,
        "metadata area records": 1,
        "frame 0": 1,
        "boot information": 1,
    }


def test_the_summary_names_what_nobody_owns(model: Model) -> None:
    summary = examine(model, in_list(1, 9, lambda f: [])(example.state())).summary
    assert summary.lost["nobody"] == 512
