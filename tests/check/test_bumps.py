"""A bump allocator at its moment, correct and then wrong in one number."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from harness.check.check import check
from harness.check.model import Model
from harness.decode.belief.frames import Bitmap, Bump, BumpRange
from harness.decode.state import MemoryState
from tests.check import example

GIVEN = {*example.MEM_MAP, example.DIRECTORY, example.LINEAR_TABLE, example.HEAP_TABLE}
"""What the allocator gave out: the frame table and the page tables."""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return example.model(tmp_path_factory.mktemp("example"))


def ranges() -> list[BumpRange]:
    """Return a range for each run of given and then free frames."""
    there = sorted(example.usable() - example.reserved() | set(example.MEM_MAP))
    borders = [0, *_borders(there), len(there)]
    return [_range(there[low:high]) for low, high in pairwise(borders)]


def _borders(frames: list[int]) -> Iterator[int]:
    """Yield where a new range begins: behind a hole, and where given frames follow free ones."""
    for index, (low, high) in enumerate(pairwise(frames), 1):
        if high != low + 1 or (high in GIVEN and low not in GIVEN):
            yield index


def _range(frames: list[int]) -> BumpRange:
    taken = sum(frame in GIVEN for frame in frames)
    start, end = frames[0] * example.PAGE, (frames[-1] + 1) * example.PAGE
    return BumpRange(start, start + taken * example.PAGE, end)


def early(new: list[BumpRange] | None = None, **fields: Any) -> MemoryState:
    """Return the moment before hand-over, with memblock in charge."""
    whole = example.state()
    bump = Bump("memblock", tuple(ranges() if new is None else new), ())
    return MemoryState(
        moment="early",
        registers=whole.registers,
        page_tables=whole.page_tables,
        bitmaps=(not_chosen(),),
        bumps=(replace(bump, **fields),),
        metadata=whole.metadata[:1],
    )


def not_chosen(gone: bool = True) -> Bitmap:
    nothing = example.mask(set())[:0]
    return Bitmap("bootmem", 0, nothing, True, (), gone=gone, chosen=False)


def changed(index: int, **fields: int) -> MemoryState:
    """Return the same with one range changed; numbers are bytes to add."""
    new = ranges()
    one = new[index]
    new[index] = replace(one, **{name: getattr(one, name) + by for name, by in fields.items()})
    return early(new)


def index_of(frame: int) -> int:
    """Return the index of the range that holds a frame."""
    address = frame * example.PAGE
    return next(i for i, one in enumerate(ranges()) if one.start <= address < one.end)


def reports(model: Model, state: MemoryState) -> list[tuple[str, str]]:
    return [(one.kind, one.message) for one in check(model, state)]


def test_correct_ranges_are_silent(model: Model) -> None:
    assert len(ranges()) > 3
    assert reports(model, early()) == []


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (0x9F, "not usable RAM"),
        (0, "frame 0, which is never handed out"),
        (0x104, "the kernel's image"),
        (example.MODULE, "the boot loader's module"),
    ],
)
def test_a_frame_that_must_be_skipped(model: Model, frame: int, words: str) -> None:
    start = frame * example.PAGE
    extra = BumpRange(start, start, start + example.PAGE)
    new = sorted([*ranges(), extra], key=lambda one: one.start)
    [(kind, message)] = reports(model, early(new))
    assert kind == "bump.reserved"
    assert message.startswith(f"frame 0x{frame:x} ")
    assert words in message


def test_a_part_of_a_reserved_frame(model: Model) -> None:
    [(kind, message)] = reports(model, changed(0, start=-1, cursor=-1))
    assert kind == "bump.reserved"
    assert message.startswith("frame 0x0 ")


def test_a_range_that_ends_too_early(model: Model) -> None:
    [(kind, message)] = reports(model, changed(-1, end=-example.PAGE))
    assert kind == "bump.missing"
    assert message.startswith("frame 0x4ff ")


def test_a_range_that_is_forgotten(model: Model) -> None:
    assert [kind for kind, _ in reports(model, early(ranges()[1:]))] == ["bump.missing"]


def test_a_cursor_too_high(model: Model) -> None:
    [(kind, message)] = reports(model, changed(-1, cursor=example.PAGE))
    assert kind == "bump.taken"
    assert "nothing that was decoded uses it" in message


def test_a_cursor_too_low(model: Model) -> None:
    index = index_of(example.MEM_MAP.start)
    [(kind, message)] = reports(model, changed(index, cursor=-example.PAGE))
    assert kind == "bump.free"
    assert message.startswith(f"frame 0x{example.MEM_MAP.stop - 1:x} ")


def test_padding_within_a_frame_is_nobody_s_loss(model: Model) -> None:
    index = index_of(example.MEM_MAP.start)
    assert reports(model, changed(index, cursor=-example.PAGE + 1)) == []


@pytest.mark.parametrize(
    "fields", [{"cursor": -0x10000000}, {"cursor": 0x10000000}, {"end": 1 << 32}, {"end": 1 << 63}]
)
def test_a_range_that_makes_no_sense(model: Model, fields: dict[str, int]) -> None:
    assert [kind for kind, _ in reports(model, changed(-1, **fields))] == ["bump.region"]


def test_ranges_that_overlap(model: Model) -> None:
    kinds = [kind for kind, _ in reports(model, changed(-1, start=-1, cursor=-1))]
    assert kinds == ["bump.order"]


def test_ranges_out_of_order(model: Model) -> None:
    assert "bump.order" in [kind for kind, _ in reports(model, early(ranges()[::-1]))]


def test_an_allocator_that_is_gone_before_its_moment(model: Model) -> None:
    state = early(ranges=(), gone=True)
    assert [kind for kind, _ in reports(model, state)] == ["bump.gone"]


def test_an_allocator_that_outlives_its_hand_over(model: Model) -> None:
    after = Bump("memblock", (), ())
    kinds = [kind for kind, _ in reports(model, replace(example.state(), bumps=(after,)))]
    assert kinds == ["bump.not-gone"]
    gone = replace(example.state(), bumps=(replace(after, gone=True),))
    assert reports(model, gone) == []


def test_an_allocator_that_was_not_chosen_and_is_there(model: Model) -> None:
    state = replace(early(), bitmaps=(not_chosen(gone=False),))
    assert [kind for kind, _ in reports(model, state)] == ["bitmap.not-chosen"]


def test_a_moment_at_which_nobody_is_in_charge(model: Model) -> None:
    [(kind, message)] = reports(model, early(ranges=(), gone=True, chosen=False))
    assert kind == "moment.nobody"
    assert message == "at the moment 'early' none of bootmem, memblock is chosen"
