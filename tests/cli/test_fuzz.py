"""``harness fuzz`` and ``harness replay``, as a user types them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.cli.conftest import Run

EMPTY_MAP = '{"entries": [{"base": 0, "length": 16777216, "type": 2}]}'


pytestmark = pytest.mark.usefixtures("telling_kernel")  # built already: nothing is said of that


def test_a_short_campaign_ends_in_a_summary(harness: Run) -> None:
    answer = harness("fuzz", "--cases", "10", "--jobs", "1", "--memory", "16M")
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.startswith("10 cases: ")
    assert re.search(r"; \d{3,} edges, the last new one \d+ s before the end, ", answer.stdout)
    assert "0 findings" in answer.stdout


@pytest.mark.parametrize("coverage", ["compiler", "qemu", "none"])
def test_its_summary_as_json_is_nothing_else(harness: Run, coverage: str) -> None:
    campaign = ("fuzz", "--cases", "3", "--jobs", "1", "--memory", "16M", "--coverage", coverage)
    answer = harness(*campaign, "--json")
    found = json.loads(answer.stdout)
    assert found["cases"] == 3
    assert found["coverage"] == coverage
    assert (found["edges"] > 100) == (coverage != "none")
    assert (found["seconds_since_new_edge"] is None) == (coverage == "none")
    assert answer.stderr == ""


def test_a_campaign_is_not_begun_over_another(harness: Run) -> None:
    campaign = ("fuzz", "--cases", "2", "--jobs", "1", "--memory", "16M")
    assert harness(*campaign).returncode == 0
    answer = harness(*campaign)
    assert answer.returncode == 2
    assert "--resume goes on" in answer.stderr
    assert harness(*campaign, "--resume").stdout.startswith("4 cases: ")


def test_a_duration_that_is_none_is_refused(harness: Run) -> None:
    answer = harness("fuzz", "--time", "soon")
    assert answer.returncode == 2
    assert "'soon' is no duration" in answer.stderr


def test_a_case_is_replayed_on_another_boot_path(harness: Run, tmp_path: Path) -> None:
    case = {
        "format": 1,
        "case": {"memory": 16 << 20, "map": json.loads(EMPTY_MAP)},
        "kernel": {"digest": "", "path": ""},
    }
    (tmp_path / "case.json").write_text(json.dumps(case))
    for words in ((), ("--boot", "multiboot")):
        answer = harness("replay", "case.json", *words)
        assert answer.returncode == 0, answer.stderr
        assert answer.stdout == "16M of RAM, 1 map entry\nrefused\n"
        assert "not the very kernel" in answer.stderr


def test_what_is_no_case_is_a_user_s_mistake(harness: Run, tmp_path: Path) -> None:
    (tmp_path / "case.json").write_text("{}")
    answer = harness("replay", "case.json")
    assert answer.returncode == 2
    assert "holds no case" in answer.stderr


def with_everything(tmp_path: Path, **shape: object) -> None:
    entries = [{"base": 0, "length": 0x9F000, "type": 1}, {"base": 1 << 20, "length": 15 << 20}]
    case = {
        "memory": 16 << 20,
        "map": {"entries": [{"type": 1, **entry} for entry in entries]},
        "fill": {"kind": "random", "seed": 5},
        "cpu": "pentium",
        "append": "heap=malloc",
        "modules": [{"data": "eHh4", "string": "one"}],
        "shape": shape,
        "steps": [[0, 0, 0, 1, 2]],
    }
    file = {"format": 1, "case": case, "kernel": {"digest": "", "path": ""}}
    (tmp_path / "case.json").write_text(json.dumps(file))


def test_a_second_opinion_says_what_the_loader_decides(harness: Run, tmp_path: Path) -> None:
    with_everything(tmp_path, entry_sizes=[24], map_address=0x70000, module_addresses=[0x300000])
    assert harness("replay", "case.json").stdout.endswith("\ngood\n")
    for path in ("multiboot", "iso"):
        answer = harness("replay", "case.json", "--boot", path)
        assert answer.returncode == 0, answer.stderr
        assert answer.stdout.endswith("\ngood\n")
        said = f"on the {path} path the loader decides about map_address, module_addresses"
        assert said in answer.stderr


def test_a_machine_too_small_for_firmware_is_no_traceback(harness: Run, tmp_path: Path) -> None:
    with_everything(tmp_path)
    text = (tmp_path / "case.json").read_text().replace(f'"memory": {16 << 20}', '"memory": 1000')
    (tmp_path / "case.json").write_text(text)
    for words in ((), ("--boot", "multiboot")):
        answer = harness("replay", "case.json", *words)
        assert answer.returncode == 2
        assert "there is no such machine: 1000 bytes" in answer.stderr
