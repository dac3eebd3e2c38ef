"""``harness blame``, and ``--blame`` on other commands, as a user has them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.machine.spec import MachineSpec
from harness.machine.spec_json import spec_json
from tests.cli.conftest import Run
from tests.debug.planted_kernel import PLANTED

pytestmark = pytest.mark.slow

MACHINE = ("--memory", "16M")
PLANT = ("--memory", "64M", "--build", f"PLANTED={PLANTED}", "--append", "plant=wrong_zone")
CULPRIT = "plant_wrong_zone (tests/debug/planted/wrong_zone.c:9)"


def test_the_last_writer_first(harness: Run) -> None:
    answer = harness("blame", *MACHINE, "&zones[0].free_frames")
    assert answer.returncode == 0, answer.stderr
    lines = answer.stdout.splitlines()
    assert lines[0].startswith("physical 0x")
    assert lines[0].endswith(" at the end")
    counts = [int(line.split()[0]) for line in lines if " -> " in line]
    assert counts == sorted(counts, reverse=True)
    assert "called from kernel_main (kernel/main.c:26)" in answer.stdout
    assert "at entry  0x00000000, from the kernel image's zeroes (.bss)" in lines[-1]


def test_json_has_every_write(harness: Run) -> None:
    answer = harness("blame", *MACHINE, "--json", "&zones[0].free_frames")
    (word,) = json.loads(answer.stdout)["words"]
    assert word["writes"][-1]["new"] == word["final"]
    assert word["writes"][-1]["frames"][0]["function"] == "buddy_alloc"


def test_what_is_typed_counts(harness: Run) -> None:
    answer = harness("blame", *MACHINE, "--type", "alloc 3", "&zones[0].free_frames")
    assert "called from command_alloc" in answer.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nobody",), "no 'nobody'"),
        (("0xf0000000",), "physical 0xf0000000 is no RAM of this machine"),
        (("--boot", "iso", "0x1000"), "a boot through firmware cannot be recorded"),
        (("--until", "main", "--type", "x", "0"), "no --type then"),
        (("a", "b", "c"), "at most one SPEC"),
        (("--until", "no_such", "0x100000"), "cannot go until no_such: no symbol"),
    ],
)
def test_mistakes_are_usage(harness: Run, arguments: tuple[str, ...], words: str) -> None:
    answer = harness("blame", *arguments)
    assert answer.returncode == 2
    assert words in " ".join(answer.stderr.split())
    assert "Traceback" not in answer.stderr


def test_a_spec_and_a_recording_name_the_machine(harness: Run, tmp_path: Path) -> None:
    from harness.image.build import build
    from harness.image.description import bundled_description

    kernel = build(bundled_description())
    path = tmp_path / "spec.json"
    path.write_text(json.dumps(spec_json(MachineSpec(kernel, 16 << 20, append="frames=bitmap"))))
    answer = harness("blame", path, "&bitmap_frames.taken.free")
    assert answer.returncode == 0, answer.stderr
    assert "frame_bitmap_take" in answer.stdout
    answer = harness("blame", *MACHINE, path, "0")
    assert answer.returncode == 2
    path.write_text("{}")
    answer = harness("blame", path, "0")
    assert (answer.returncode, "this is no machine's spec.json" in answer.stderr) == (2, True)


def test_violations_are_followed_by_their_culprits(harness: Run) -> None:
    answer = harness("run", *PLANT, "--blame", "--jobs", "1")
    assert answer.returncode == 1
    assert f"was last written by {CULPRIT}" in answer.stderr
    answer = harness("inspect", *PLANT, "--blame", "--json")
    found = json.loads(answer.stdout)
    assert len(found["blame"]) == len(found["violations"])
    zone = [v["kind"] for v in found["violations"]].index("frame-table.zone")
    frame = found["blame"][zone]["writes"][-1]["frames"][0]
    assert frame["function"] == "plant_wrong_zone"


def test_what_cannot_be_blamed_says_why(harness: Run) -> None:
    answer = harness("run", *PLANT, "--boot", "iso", "--blame", "--jobs", "1")
    assert answer.returncode == 1
    assert "no blame: a boot through firmware cannot be recorded" in answer.stderr
