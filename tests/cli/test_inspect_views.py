"""``harness inspect WHAT``: one part of what there is to see."""

from __future__ import annotations

import json

import pytest

from harness.report.views.registry import VIEWS
from tests.cli.conftest import Run


def test_flags_stand_before_and_behind(harness: Run) -> None:
    before = harness("inspect", "--memory", "16M", "tables", "--filter", "w", "--sort", "physical")
    behind = harness("inspect", "tables", "--sort", "physical", "--memory", "16M", "--filter", "w")
    assert before.returncode == 0, before.stderr
    assert before.stdout == behind.stdout
    assert before.stdout.startswith("page tables: 32-bit, root at physical 0x")


@pytest.mark.parametrize("words", [name for name in VIEWS if name != "diff"])
def test_each_view_as_json(harness: Run, words: str) -> None:
    more = ["0x100000"] if words in ("walk", "who") else []
    done = harness("inspect", "--memory", "16M", "--json", words, *more)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) is not None


def test_the_help_lists_the_views(harness: Run) -> None:
    done = harness("inspect", "--help")
    assert done.returncode == 0
    for view in VIEWS.values():
        assert view.summary.split()[0] in done.stdout
        assert f"\n  {view.name} " in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nonsuch"], "no view 'nonsuch'; there are map, tables"),
        (["wlak", "1"], "nearest: walk"),
        (["walk"], "required: ADDRESS"),
        (["walk", "nonsuch"], "no 'nonsuch'"),
        (["walk", "1", "--nonsuch"], "unrecognized arguments: --nonsuch"),
        (["--nonsuch", "1"], "No such option"),
        (["--cross-check", "check"], "goes with the whole"),
        (["diff"], "diff needs the file of an earlier core"),
        (["diff", "/nonexistent.core"], "nonexistent.core"),
    ],
)
def test_what_is_wrong_is_told(harness: Run, words: list[str], said: str) -> None:
    done = harness("inspect", "--memory", "16M", *words)
    assert done.returncode in (2, 3)
    assert said in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
