"""The bugs that are planted to measure campaigns: each can be planted, and some are, end to end."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.outcome import Outcome, Way, save, saved
from tests.fuzz.planted import search
from tests.fuzz.planted_table import is_small, page
from tests.fuzz.plants import SECTIONS, Plant, plants
from tests.kernel.planted import TREE, SourceCopy


@pytest.mark.parametrize("plant", plants(), ids=lambda plant: plant.name)
def test_each_replacement_fits_the_source_once(plant: Plant) -> None:
    assert (TREE / "kernel" / plant.file).read_text().count(plant.right) == 1
    assert plant.right != plant.wrong
    assert plant.section in SECTIONS
    assert set(plant.breaks.split()) <= {f"V{number}" for number in range(1, 12)}


def test_there_are_many_of_all_sections() -> None:
    assert len({plant.name for plant in plants()}) == len(plants()) >= 40
    assert {plant.section for plant in plants()} == set(SECTIONS)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["start-rounded-down", "slab-not-counted-off"])
def test_a_planted_bug_is_found_and_its_answer_is_small(
    source_copy: SourceCopy, tmp_path: Path, name: str
) -> None:
    [plant] = [plant for plant in plants() if plant.name == name]
    outcome = search(plant, plant.build(source_copy), Way(0, 60), tmp_path)
    assert outcome.group is not None
    assert is_small(outcome)


def test_a_result_is_kept_for_its_own_bug_and_way(tmp_path: Path) -> None:
    one, two, *_ = plants()
    outcome = Outcome(one, Way(0, 60), 10, 1.5, "a group", 1, 2, 4 << 20, 30, 2.0)
    save(outcome, tmp_path)
    assert saved(tmp_path, one, Way(0, 60)) == outcome
    assert saved(tmp_path, one, Way(1, 60)) is None
    assert saved(tmp_path, two, Way(0, 60)) is None


def test_the_page_says_what_was_not_found() -> None:
    one, two, *_ = plants()
    found = Outcome(one, Way(0, 60), 10, 1.5, "kind: words | more", 1, 2, 4 << 20, 30, 2.0)
    text = page([found, Outcome(two, Way(0, 60), 900, 60.0)], 8)
    assert "Of 2 bugs 1 were found" in text
    assert "| 10 | 1.5 | `kind` words / more | 1 | 2 | 4M | 30 |" in text
    assert "| > 900 | > 60 | not found |" in text
