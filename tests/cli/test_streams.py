"""Pipes that close, streams that are closed, files that cannot be written."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import HARNESS, Run


def shell(command: str) -> subprocess.CompletedProcess[str]:
    """Run a shell command in which $H stands for harness."""
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        env={**os.environ, "H": str(HARNESS)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("command", ["$H maps list", "$H run --memory 16M", "$H inspect"])
def test_a_reader_that_has_seen_enough(command: str) -> None:
    answer = shell(f"{command} | head -1")
    assert answer.returncode == 0, answer.stderr
    assert answer.stderr == ""


@pytest.mark.parametrize("closed", ["<&-", ">&-", "<&- >&-"])
def test_closed_standard_streams(closed: str) -> None:
    answer = shell(f"$H run --memory 16M {closed}")
    assert answer.returncode == 0, answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_result_file_that_cannot_be_written_is_found_before_the_work(harness: Run) -> None:
    answer = harness("run", "--memory", "16M", "--json", "nowhere/out.json")
    assert answer.returncode == 3
    assert "nowhere" in answer.stderr
    assert answer.stdout == ""


def test_no_memory_is_an_impossible_size(harness: Run) -> None:
    answer = harness("run", "--memory", "0")
    assert answer.returncode == 2
    assert "impossible size" in answer.stderr


def test_results_are_there_whole_or_not_at_all(harness: Run, tmp_path: Path) -> None:
    (tmp_path / "out.json").write_text("old")
    answer = harness("run", "--memory", "16M", "--cpu", "z80", "--json", "out.json")
    assert answer.returncode == 2, answer.stderr
    assert (tmp_path / "out.json").read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["out.json"]
