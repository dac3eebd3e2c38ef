"""``harness compare`` as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run

pytestmark = pytest.mark.slow

PNG = b"\x89PNG\r\n\x1a\n"
MINE = """\
# workload: mine
# description: two blocks
frames+ 0 4
heap+ 1 100
heap- 1
frames- 0
"""


def test_every_preset_stands_in_every_table(harness: Run, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text(MINE)
    answer = harness(
        "compare", "--workload", "mine.txt", "--json", "out.json", "--pictures", "drawn"
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "mine: two blocks" in answer.stdout
    presets = ["helios", "ferrite", "apoptos", "oct"]
    for title in ("after boot", "instructions", "memory"):
        table = answer.stdout.partition(f"\n{title}\n" if title != "after boot" else title)[2]
        first = {line.split()[0] for line in table.partition("\n\n")[0].splitlines() if line}
        assert set(presets) <= first
    trials = json.loads((tmp_path / "out.json").read_text())["trials"]
    assert [trial["design"] for trial in trials] == presets
    for trial in trials:
        assert trial["violations"] == []
        assert trial["failures"] == 0
        assert [one["operations"] for one in trial["samples"]] == [0, 1, 2, 3, 4]
        # Frames in a row: a power of two everywhere. 100 bytes take at least that much.
        assert trial["samples"][1]["given"] - trial["samples"][0]["given"] == 4 * 4096
        assert trial["samples"][2]["given"] - trial["samples"][1]["given"] in (4096, 8192)
        for kind in ("frames_alloc", "frames_free", "heap_alloc", "heap_free"):
            assert trial["instructions"][kind]["median"] > 10
    pictures = sorted((tmp_path / "drawn").iterdir())
    assert [path.name for path in pictures] == sorted(f"{name}-mine-64M.png" for name in presets)
    assert all(path.read_bytes().startswith(PNG) for path in pictures)


def test_costs_are_the_same_at_every_repetition(harness: Run) -> None:
    arguments = ("compare", "--preset", "helios", "--workload", "knuth", "--json", "-")
    first, second = (json.loads(harness(*arguments).stdout) for _ in range(2))
    assert first == second


def test_a_curve_says_which_designs_search(harness: Run, tmp_path: Path) -> None:
    answer = harness(
        "compare", "--curve", "--memory", "16M,512M", "--json", "-", "--pictures", "drawn"
    )
    assert answer.returncode == 0, answer.stderr
    assert (tmp_path / "drawn" / "curves.png").read_bytes().startswith(PNG)
    growth = {one["design"]: one["growth"] for one in json.loads(answer.stdout)["curves"]}
    assert growth["oct"]["frames_alloc"] > 4
    for design in ("helios", "ferrite"):
        assert max(growth[design].values()) < 4


def test_the_list_names_workloads_and_their_sources(harness: Run) -> None:
    answer = harness("compare", "--list")
    assert answer.returncode == 0
    assert "SIGMETRICS 2012" in answer.stdout
    assert "The Art of Computer Programming" in answer.stdout


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (("--workload", "nothing"), "no workload and no file 'nothing'"),
        (("--workload", "bad.txt"), "bad.txt:1: 'frames' is none of"),
        (("--preset", "minix"), "no preset 'minix'"),
        (("--curve", "--workload", "fixed"), "--curve does work of its own"),
        (("--workload", "fixed", "--workload", "fixed"), "two workloads are called 'fixed'"),
    ],
)
def test_what_cannot_be_compared_is_said(
    harness: Run, tmp_path: Path, arguments: tuple[str, ...], wanted: str
) -> None:
    (tmp_path / "bad.txt").write_text("frames 1 2\n")
    answer = harness("compare", *arguments)
    assert answer.returncode == 2
    assert wanted in answer.stderr
    assert "Traceback" not in answer.stderr
