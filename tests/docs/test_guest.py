"""The page about guests does what it says."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from harness.image.description import bundled_path
from tests.cli.conftest import HARNESS

PAGE = Path(__file__).parents[2] / "docs" / "guest.md"


def _block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[1]


def _without_numbers(line: str) -> str:
    """Leave addresses out: they are another kernel build's."""
    return re.sub(r"0x[0-9a-f]+", "0x", line)


def test_the_program_prints_what_the_page_shows_and_leaves_a_core(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    exec(compile(_block("python"), str(PAGE), "exec"), {})
    printed = [_without_numbers(line) for line in capsys.readouterr().out.splitlines()]
    for line in _block("text").splitlines():
        wanted = _without_numbers(line.rstrip(" …"))
        assert any(one.startswith(wanted) for one in printed), line
    command = [HARNESS, "inspect", "--core", "failed.core"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1, done.stderr
    assert "contents.text" in done.stdout


def test_the_command_stands_so_in_the_bundled_description() -> None:
    first = re.sub(r"\s*#.*", "", _block("toml"))
    assert first.strip() in re.sub(r"\s*#.*", "", bundled_path().read_text())
