"""The section "By hand" of the page about debugging does what it says."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from harness.report.views.registry import VIEWS
from tests.cli.conftest import HARNESS

PAGE = Path(__file__).parents[2] / "docs" / "debugging.md"


def _section() -> str:
    found = re.search(r"^## By hand$(.*?)(?=^## |\Z)", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[1]


def test_its_script_runs_in_gdb(tmp_path: Path) -> None:
    """The block that begins with a mark, as a script, and the two lines that it promises."""
    block = re.search(
        r"((?:^    .*\n)+)", _section()[_section().index("    mm mark") :], re.MULTILINE
    )
    assert block is not None
    script = tmp_path / "script.gdb"
    script.write_text("set width 0\n" + re.sub("^    ", "", block[1], flags=re.MULTILINE)
                      + "print mem_map[0x98]\n")  # fmt: skip
    command = [HARNESS, "gdb", "--memory", "16M", "--batch", "-x", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "The state is marked as before." in done.stdout
    assert "free lists buddy: is there now, and was not" in done.stdout
    assert "symbol:          mem_map" in done.stdout
    [words] = re.findall(r"says `(<.*?>)`", _section())
    assert f"$1 = {words} = {{" in done.stdout


def test_every_view_stands_in_its_table() -> None:
    told = set(re.findall(r"`mm (\w+)", _section()))
    assert set(VIEWS) <= told
