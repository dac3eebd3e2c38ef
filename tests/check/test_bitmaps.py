"""A bitmap at its moment, correct and then wrong by one bit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.check.check import check, examine
from harness.check.model import Model
from harness.decode.belief.frames import Bitmap
from harness.decode.state import MemoryState
from harness.image.description import load_description
from tests.check import example

STORAGE = 0x160
NONE = np.empty(0, dtype=np.bool_)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return example.model(tmp_path_factory.mktemp("example"))


def early(**fields: Any) -> MemoryState:
    """Return the moment before hand-over: what is taken is taken for a reason, the rest free."""
    whole = example.state()
    used = {example.DIRECTORY, example.LINEAR_TABLE, example.HEAP_TABLE, STORAGE}
    taken = example.mask(example.reserved() | used)
    storage = (example.bytes_of(range(STORAGE, STORAGE + 1)),)
    bitmap = Bitmap("bootmem", 0, taken, True, storage, int((~taken).sum()))
    return MemoryState(
        moment="early",
        registers=whole.registers,
        page_tables=whole.page_tables,
        bitmaps=(replace(bitmap, **fields),),
        metadata=whole.metadata[:1],
    )


def flipped(frame: int) -> MemoryState:
    """Return the same with one bit flipped, and the counter following."""
    taken = early().bitmaps[0].taken.copy()
    taken[frame] ^= True
    return early(taken=taken, free_count=int((~taken).sum()))


def reports(model: Model, state: MemoryState) -> list[tuple[str, str]]:
    return [(one.kind, one.message) for one in check(model, state)]


def test_a_correct_bitmap_is_silent(model: Model) -> None:
    assert reports(model, early()) == []


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (0x9F, "not usable RAM"),
        (0, "frame 0, which is never handed out"),
        (0x104, "the kernel's image"),
        (9, "the boot loader's module"),
        (0x131, "the memory manager's own"),
        (STORAGE, "the memory manager's own"),
        (example.DIRECTORY, "the memory manager's own"),
    ],
)
def test_a_frame_that_must_be_taken(model: Model, frame: int, words: str) -> None:
    [(kind, message)] = reports(model, flipped(frame))
    assert kind == "bitmap.free"
    assert message.startswith(f"frame 0x{frame:x} ")
    assert message.endswith(words)


def test_a_frame_that_is_taken_by_nobody(model: Model) -> None:
    [(kind, message)] = reports(model, flipped(0x300))
    assert kind == "bitmap.taken"
    assert message.startswith("frame 0x300 ")


def test_a_bitmap_that_ends_too_early(model: Model) -> None:
    short = early().bitmaps[0].taken[:0x4FF]
    [(kind, message)] = reports(model, early(taken=short, free_count=int((~short).sum())))
    assert kind == "bitmap.extent"
    assert message.startswith("frame 0x4ff ")


def test_the_counter(model: Model) -> None:
    right = early().bitmaps[0].free_count
    assert right is not None
    [(kind, message)] = reports(model, early(free_count=right + 1))
    assert kind == "bitmap.counter"
    assert f"counts {right + 1} free frames, but {right} bits" in message


def test_the_padding(model: Model) -> None:
    assert [kind for kind, _ in reports(model, early(padding_taken=False))] == ["bitmap.padding"]


def test_a_bitmap_that_is_gone_before_its_moment(model: Model) -> None:
    assert [kind for kind, _ in reports(model, early(gone=True, taken=NONE))] == ["bitmap.gone"]


def test_a_bitmap_that_outlives_its_hand_over(model: Model) -> None:
    after = Bitmap("bootmem", 0, NONE, True, (), gone=False)
    kinds = [kind for kind, _ in reports(model, replace(example.state(), bitmaps=(after,)))]
    assert kinds == ["bitmap.not-gone"]
    gone = replace(example.state(), bitmaps=(replace(after, gone=True),))
    assert reports(model, gone) == []


def test_a_kernel_whose_only_allocator_is_a_bitmap(tmp_path: Path) -> None:
    """Without a frame table nobody can say who holds a taken frame, so none is called lost."""
    kernel = example.kernel(tmp_path)
    path = tmp_path / "bitmap.toml"
    path.write_text('[[bitmaps]]\nname = "frames"\nwords = "bits"\nbits = "count"\n')
    only = replace(kernel, description=load_description(path))
    ram = (range(example.FRAMES * example.PAGE),)
    plain = Model.of(only, example.memory_map(), ram)
    taken = example.mask(example.reserved() - {example.MODULE} | {0x300})
    bitmap = Bitmap("frames", 0, taken, True, ())
    state = replace(
        example.state(), bitmaps=(bitmap,), frame_table=None, free_lists=(), heaps=(), metadata=()
    )
    table = state.page_tables
    state = replace(state, page_tables=replace(table, tables=table.tables[:0]))
    assert [kind for kind, _ in reports(plain, state)] == []


def test_what_is_free_beyond_the_memory_is_no_free_memory(model: Model) -> None:
    """A kernel that takes all 4 GiB for RAM has a block of no more than there is."""
    state = early()
    [bitmap] = state.bitmaps
    beyond = np.concatenate((bitmap.taken, np.zeros(1 << 18, dtype=np.bool_)))
    whole = replace(state, bitmaps=(replace(bitmap, taken=beyond),))
    found, sound = examine(model, whole).summary, examine(model, state).summary
    assert found.largest_free_block == sound.largest_free_block < found.usable_bytes
    assert found.free_bytes == sound.free_bytes
