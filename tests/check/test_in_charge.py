"""A boot chooses one frame allocator among those that its kernel has."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.check.in_charge import check_in_charge
from harness.check.model import Model
from harness.decode.belief.fault import DecodeFault
from harness.decode.belief.frames import Bitmap, FreeLists
from harness.decode.state import MemoryState
from harness.image.description import load_description
from tests.check import example

DESCRIPTION = """
[[free_lists]]
name = "buddy"
head = "lists"
nodes = "block"
chosen = "one == 1"
[[free_lists]]
name = "more of buddy"
head = "more"
nodes = "block"
chosen = "one == 1"
[[bitmaps]]
name = "pmm"
words = "bits"
bits = "count"
chosen = "one == 2"
[[bitmaps]]
name = "always"
words = "bits"
bits = "count"
"""


@pytest.fixture
def model(tmp_path: Path) -> Model:
    found = example.model(tmp_path)
    path = tmp_path / "harness.toml"
    path.write_text(DESCRIPTION)
    return replace(found, description=load_description(path))


def state(*lists: str, bitmap: bool, moment: str = "ready") -> MemoryState:
    """Return a state with these free lists, and with a bitmap that was chosen or not."""
    pmm = Bitmap("pmm", 0, np.empty(0, dtype=bool), True, (), gone=not bitmap, chosen=bitmap)
    always = replace(pmm, name="always", gone=False, chosen=True)
    return MemoryState(
        moment=moment,
        registers=example.state().registers,
        page_tables=example.state().page_tables,
        free_lists=tuple(FreeLists(name, ()) for name in lists),
        bitmaps=(pmm, always),
    )


def messages(model: Model, found: MemoryState) -> list[tuple[str, str]]:
    return [(violation.kind, violation.message) for violation in check_in_charge(model, found)]


def test_one_allocator_may_have_several_structures(model: Model) -> None:
    assert messages(model, state("buddy", "more of buddy", bitmap=False)) == []
    assert messages(model, state(bitmap=True)) == []


def test_a_boot_that_has_chosen_nobody(model: Model) -> None:
    assert messages(model, state(bitmap=False)) == [
        ("moment.nobody", "at the moment 'ready' none of pmm, buddy, more of buddy is chosen")
    ]


def test_a_boot_that_has_chosen_two(model: Model) -> None:
    [(kind, message)] = messages(model, state("buddy", bitmap=True))
    assert kind == "moment.several"
    assert message == "at the moment 'ready' pmm and buddy are chosen, which is one too many"


def test_what_cannot_be_decoded_may_be_the_chosen_one(model: Model) -> None:
    unknown = replace(state(bitmap=False), faults=(DecodeFault("buddy", "is not mapped"),))
    assert messages(model, unknown) == []


def test_a_moment_without_a_choice(model: Model) -> None:
    assert messages(model, state(bitmap=False, moment="early")) == []
