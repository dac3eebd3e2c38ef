"""The model against a brute-force reading of the map, byte by byte."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.check.model import ALLOCATABLE, FRAME_LIMIT, IMAGE, NOT_USABLE, Model
from harness.image.description import Description
from harness.image.kernel_image import KernelImage
from harness.image.schema.layout import FirmwareMap
from harness.maps.memory_map import MemoryMap
from harness.maps.region import Region
from tests.check import example
from tests.check.example import PAGE, Placement

SPAN = 24  # frames of the brute force's world

addresses = st.one_of(
    st.integers(0, SPAN * PAGE),
    st.integers(0, SPAN).map(lambda frame: frame * PAGE),
)
regions = st.builds(
    lambda base, end, type_: Region(min(base, end), abs(end - base), type_),
    addresses,
    addresses,
    st.sampled_from((1, 1, 1, 2, 3, 0x101)),
)
placements = st.builds(
    lambda start, length: Placement("module", start, length),
    st.integers(0, (SPAN - 1) * PAGE),
    st.integers(1, PAGE),
)


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> KernelImage:
    """An image that lies where no map of these tests does: on frames 30 and 31."""
    kernel = example.kernel(tmp_path_factory.mktemp("bare"))
    segment = replace(kernel.segments[0], physical=30 * PAGE, memory_size=PAGE + 1)
    return replace(kernel, segments=(segment,))


@given(
    entries=st.lists(regions, max_size=6),
    ram=st.tuples(st.integers(0, SPAN), st.integers(0, SPAN)).map(sorted),
    placed=st.lists(placements, max_size=3),
)
def test_a_frame_may_be_handed_out_when_all_its_bytes_may(
    bare: KernelImage, entries: list[Region], ram: list[int], placed: list[Placement]
) -> None:
    ram_range = range(ram[0] * PAGE, ram[1] * PAGE)
    model = Model.of(bare, MemoryMap(tuple(entries)), (ram_range,), tuple(placed)).widened(SPAN)
    good = np.zeros(SPAN * PAGE, dtype=np.bool_)
    for entry in entries:
        good[entry.base : entry.end] |= entry.type == 1
    for entry in entries:
        if entry.type != 1:
            good[entry.base : entry.end] = False
    good[: ram_range.start] = False
    good[ram_range.stop :] = False
    usable = good.reshape(SPAN, PAGE).all(axis=1)
    assert model.usable[:SPAN].tolist() == usable.tolist()
    for one in placed:
        good[one.start : one.start + one.length] = False
    good[:PAGE] = False
    allocatable = good.reshape(SPAN, PAGE).all(axis=1)
    assert (model.reason[:SPAN] == ALLOCATABLE).tolist() == allocatable.tolist()


def test_the_image_is_reserved_page_rounded_with_its_bss(bare: KernelImage) -> None:
    model = Model.of(bare, MemoryMap((Region(0, 64 * PAGE, 1),)), (range(64 * PAGE),))
    assert model.image == range(30, 32)
    assert np.flatnonzero(model.reason == IMAGE).tolist() == [30, 31]


def test_adjacent_unaligned_entries_make_up_a_frame_together(bare: KernelImage) -> None:
    entries = (Region(0, 5 * PAGE + 100, 1), Region(5 * PAGE + 100, 3 * PAGE, 1))
    model = Model.of(bare, MemoryMap(entries), (range(64 * PAGE),))
    assert np.flatnonzero(model.usable).tolist() == list(range(8))


def test_memory_that_the_map_claims_but_is_not_there_is_not_usable(bare: KernelImage) -> None:
    model = Model.of(bare, MemoryMap((Region(0, 64 * PAGE, 1),)), (range(16 * PAGE),))
    assert np.count_nonzero(model.usable) == 16
    assert model.reason[16] == NOT_USABLE


def test_memory_above_4_gib_does_not_count(bare: KernelImage) -> None:
    above = MemoryMap((Region(0, 64 * PAGE, 1), Region((1 << 32) - PAGE, 1 << 30, 1)))
    ram = (range(64 * PAGE), range((1 << 32) - PAGE, 5 << 30))
    model = Model.of(bare, above, ram)
    assert model.frames == FRAME_LIMIT
    assert np.flatnonzero(model.usable).tolist() == [*range(64), FRAME_LIMIT - 1]


@pytest.mark.parametrize(
    ("above", "below", "taken"),
    [
        (16 * PAGE, None, range(16, 30)),
        (16 * PAGE + 1, 20 * PAGE - 1, range(17, 19)),
        (None, 4 * PAGE, range(1, 4)),
    ],
)
def test_a_kernel_may_leave_memory_alone(
    bare: KernelImage, above: int | None, below: int | None, taken: range
) -> None:
    """Frames on a border are left alone: not all of their bytes are taken."""
    firmware = FirmwareMap(above=above, below=below)
    kernel = replace(bare, description=Description(firmware_map=firmware))
    model = Model.of(kernel, MemoryMap((Region(0, 30 * PAGE, 1),)), (range(64 * PAGE),))
    assert np.flatnonzero(model.allocatable).tolist() == list(taken)
    others = set(range(1, 30)) - set(taken)
    assert {model.reasons[model.reason[frame]] for frame in others} <= {
        "memory that this kernel leaves alone"
    }


def test_zones_end_where_the_description_says(bare: KernelImage) -> None:
    model = Model.of(bare, MemoryMap(()), ())
    frames = np.array([0, 0x1FF, 0x200, 0x3FF, 0x400, 0xFFFFF])
    assert model.zone_of(frames).tolist() == [0, 0, 1, 1, 2, 2]
    assert [model.zone_name(index) for index in range(4)] == ["dma", "normal", "high", "number 3"]


def test_the_linear_map_follows_sets_segments_and_exceptions(tmp_path: Path) -> None:
    model = example.model(tmp_path)
    codes = model.linear[0].expected(model.usable, model.image, global_on=False)
    present = set(np.flatnonzero(codes & 1).tolist())
    assert present == {
        frame
        for frame in example.usable() | set(example.IMAGE)
        if frame < 0x400 and frame not in (0, example.GUARD)
    }
    read_only = {page for page in present if not codes[page] & 2}
    assert read_only == set(example.TEXT)


def test_a_page_of_two_segments_takes_the_writable_one_s_right(tmp_path: Path) -> None:
    kernel = example.kernel(tmp_path)
    text = replace(kernel.segments[0], memory_size=0x2010)
    model = Model.of(
        replace(kernel, segments=(text, kernel.segments[1])),
        example.memory_map(),
        (range(example.FRAMES * PAGE),),
    )
    codes = model.linear[0].expected(model.usable, model.image, global_on=False)
    assert codes[0x101] & 2 == 0
    assert codes[0x102] & 2 == 2


def test_rights_follow_the_frame_of_a_segment_that_is_linked_elsewhere(tmp_path: Path) -> None:
    kernel = example.kernel(tmp_path)
    entry = replace(kernel.segments[0], virtual=kernel.segments[0].physical)
    model = Model.of(
        replace(kernel, segments=(entry, kernel.segments[1])),
        example.memory_map(),
        (range(example.FRAMES * PAGE),),
    )
    codes = model.linear[0].expected(model.usable, model.image, global_on=False)
    assert (codes[0x100] & 3, codes[0x102] & 3) == (1, 3)
