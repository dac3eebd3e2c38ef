"""The race between two ways to make cases: what its table says, and where that goes."""

from __future__ import annotations

from pathlib import Path

from tests.fuzz.plants import plants
from tests.fuzz.race import BEGIN, CHOSEN, END, Heat, put_into, table
from tests.kernel.planted import TREE


def test_medians_count_searches_in_vain_as_the_longest() -> None:
    heats = [
        Heat("a-bug", "mutator", seed, 10.0, cases, seconds, found)
        for seed, (cases, seconds, found) in enumerate(
            [(5, 0.5, True), (900, 10, False), (7, 1, True)]
        )
    ]
    heats += [Heat("a-bug", "bytes", seed, 10.0, 900, 10.0, seed == 0) for seed in range(3)]
    text = table(heats)
    assert "| `a-bug` | 2 of 3 | 7 | 1.0 | 1 of 3 | - | - |" in text
    assert "Found, of 3 searches each: mutator 2, bytes 1." in text


def test_the_table_goes_between_the_marks(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nbehind\n")
    put_into(page, "new")
    assert page.read_text() == f"before\n{BEGIN}\nnew\n{END}\nbehind\n"


def test_the_page_and_the_bugs_are_there() -> None:
    text = (TREE / "docs" / "fuzzing.md").read_text()
    assert text.count(BEGIN) == text.count(END) == 1
    assert set(CHOSEN) <= {plant.name for plant in plants()}
    assert len(CHOSEN) >= 12
