"""What this host cannot do: skipped with the reason, or an error when strict."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.pytest_plugin.conftest import Run

pytestmark = pytest.mark.slow

MISSING = ("grub-mkrescue", "gdb")
SUITE = """
from harness.debug.mi import MiSession
from harness.maps.memory_map import MemoryMap
from harness.maps.region import Region

@pytest.mark.machine(boot="iso", append="never on a CD before")
def test_iso(guest): pass

def test_gdb():
    MiSession()

@pytest.mark.machine(map=MemoryMap((Region(0, 64 << 20, 2),)), memory="64M")
def test_refused(guest): pass

def test_plain(guest): pass
"""


@pytest.fixture
def few_tools(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A PATH without grub-mkrescue and gdb."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for place in os.get_exec_path():
        for tool in Path(place).iterdir() if Path(place).is_dir() else ():
            if tool.name not in MISSING and not (folder / tool.name).is_symlink():
                (folder / tool.name).symlink_to(tool)
    monkeypatch.setenv("PATH", str(folder))


@pytest.mark.usefixtures("few_tools")
def test_what_is_missing_is_a_skip_with_the_reason(run: Run) -> None:
    result = run(SUITE, "-rs")
    result.assert_outcomes(passed=1, skipped=3)
    result.stdout.fnmatch_lines_random(
        [
            "SKIPPED*test_suite.py:*: grub-mkrescue is not installed*",
            "SKIPPED*test_suite.py:*: gdb is not installed*",
            "SKIPPED*test_suite.py:*: the kernel rightly refuses this machine: *",
        ]
    )


@pytest.mark.usefixtures("few_tools")
@pytest.mark.parametrize("place", ["flag", "ini"])
def test_strict_makes_it_an_error(user: pytest.Pytester, run: Run, place: str) -> None:
    if place == "ini":
        user.makeini("[pytest]\nmm_strict = true\n")
    result = run(SUITE, *["--mm-strict"] * (place == "flag"))
    result.assert_outcomes(passed=1, failed=1, errors=2)
    result.stdout.fnmatch_lines_random(
        [
            "*not supported, and strict: grub-mkrescue is not installed*",
            "*not supported, and strict: gdb is not installed*",
        ]
    )
    assert "During handling of the above exception" not in result.stdout.str()
