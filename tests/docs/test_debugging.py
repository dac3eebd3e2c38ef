"""The page about debugging does what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "debugging.md"


def _block(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[1]


def _without_numbers(text: str) -> list[str]:
    """Leave out what is another kernel build's: addresses and lines."""
    return re.sub(r"0x[0-9a-f]+|(?<==)\d+|(?<=:)\d+", "N", text).splitlines()


def test_the_program_prints_what_the_page_shows(capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(_block("python"), str(PAGE), "exec"), {})
    assert _without_numbers(capsys.readouterr().out) == _without_numbers(_block("text"))
