"""The main job and the commands around it, as a user does them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.maps import library
from tests.cli.conftest import Run


def test_run_ends_in_a_table_with_a_row_a_machine(harness: Run) -> None:
    answer = harness("run", "--memory", "16M,64M", "--jobs", "1")
    assert answer.returncode == 0, answer.stderr
    assert "2 machines: 2 good, 0 refused, 0 with findings" in answer.stdout
    assert "verdict" in answer.stdout.splitlines()[0]


@pytest.mark.slow
def test_json_has_every_machine(harness: Run, tmp_path: Path) -> None:
    answer = harness("run", "--memory", "16M", "--boot", "all", "--json", "out.json")
    assert answer.returncode == 0, answer.stderr
    machines = json.loads((tmp_path / "out.json").read_text())["machines"]
    assert [machine["boot"] for machine in machines] == ["direct", "multiboot", "iso"]
    for machine in machines:
        assert machine["verdict"] == "good"
        assert machine["ended"] == "ready"
        assert machine["memory"] == 16 << 20
        assert machine["violations"] == []


def test_json_on_standard_output_is_nothing_but_json(harness: Run) -> None:
    answer = harness("run", "--memory", "16M", "--json", "-")
    assert len(json.loads(answer.stdout)["machines"]) == 1


def test_a_map_in_compact_notation(harness: Run) -> None:
    notation = "0-9fc00 usable, 100000-2000000 usable, 2000000-2100000 acpi"
    answer = harness("run", "--map", notation)
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_a_map_pasted_from_dmesg(harness: Run, tmp_path: Path) -> None:
    (tmp_path / "dmesg.txt").write_text(
        "[    0.000000] BIOS-e820: [mem 0x0000000000000000-0x000000000009fbff] usable\n"
        "[    0.000000] BIOS-e820: [mem 0x000000000009fc00-0x000000000009ffff] reserved\n"
        "[    0.000000] BIOS-e820: [mem 0x0000000000100000-0x0000000001fdffff] usable\n"
        "[    0.000000] BIOS-e820: [mem 0x0000000001fe0000-0x0000000001ffffff] ACPI data\n"
    )
    answer = harness("run", "--map", "dmesg.txt")
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_a_machine_without_usable_memory_is_refused_and_that_is_good(harness: Run) -> None:
    answer = harness("run", "--memory", "16M", "--map", "0-1000000 reserved", "--exact")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "1 refused" in answer.stdout


def test_inspect_shows_the_decoded_state(harness: Run) -> None:
    answer = harness("inspect", "--memory", "64M")
    assert answer.returncode == 0, answer.stderr
    for words in ("page tables: 32-bit", "frame table:", "free lists of", "no violations"):
        assert words in answer.stdout


def test_inspect_as_json(harness: Run) -> None:
    state = json.loads(harness("inspect", "--memory", "64M", "--json").stdout)["state"]
    assert state["page_tables"]["mode"] == "32-bit"
    assert state["frame_table"]["frames"] <= (64 << 20) // 4096


def test_inspect_a_moment_before_hand_over(harness: Run) -> None:
    answer = harness("inspect", "--memory", "64M", "--moment", "early")
    assert answer.returncode == 0, answer.stderr
    assert "bitmap of bootmem:" in answer.stdout
    assert "handed over" not in answer.stdout


def test_memblock_in_place_of_bootmem(harness: Run) -> None:
    chosen = ("--memory", "17M", "--append", "early=memblock")
    answer = harness("inspect", *chosen, "--moment", "early")
    assert answer.returncode == 0, answer.stderr
    assert "bitmap of bootmem: not in use" in answer.stdout
    assert "0x01000000-0x01100000  68.0 KiB taken, 956.0 KiB free" in answer.stdout
    assert "(plain PC), early=memblock" in harness("run", *chosen).stdout


@pytest.mark.slow
def test_a_preset_chooses_words_and_the_build(harness: Run) -> None:
    answer = harness("run", "--memory", "16M", "--preset", "oct", "--append", "tlb=full")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "(plain PC), mm=oct tlb=full" in answer.stdout
    log = harness("boot", "--memory", "16M", "--preset", "oct").stdout
    assert "mm: early=memblock frames=bitmap heap=subblock" in log


def test_inspect_shows_what_a_preset_is_made_of(harness: Run) -> None:
    answer = harness("inspect", "--memory", "16M", "--preset", "ferrite")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    for words in ("free lists of pair:", "held by callers of the frame interface: 0 frames"):
        assert words in answer.stdout
    assert "frame table:" not in answer.stdout


def test_an_unknown_preset_is_refused_with_those_that_there_are(harness: Run) -> None:
    answer = harness("run", "--preset", "linux")
    assert answer.returncode == 2
    assert "no preset 'linux'; there are helios, ferrite, apoptos, oct" in answer.stderr


def test_inspect_cross_checked_with_qemu_and_the_cpu(harness: Run) -> None:
    answer = harness("inspect", "--memory", "64M", "--cross-check")
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_maps_list_names_the_whole_library(harness: Run) -> None:
    listed = harness("maps", "list").stdout
    assert all(name in listed for name in library.names())


def test_maps_show_in_every_format(harness: Run) -> None:
    name = library.names()[0]
    assert name in harness("maps", "show", name).stdout
    assert json.loads(harness("maps", "show", name, "--format", "json").stdout)[0]["name"] == name
    assert "usable" in harness("maps", "show", name, "--format", "compact").stdout


def test_build_prints_the_image(harness: Run) -> None:
    assert Path(harness("build").stdout.strip()).is_file()


def test_doctor_finds_nothing_missing_where_the_tests_run(harness: Run) -> None:
    answer = harness("doctor")
    assert answer.returncode == 0, answer.stdout
    assert "qemu-system-i386" in answer.stdout


def test_doctor_names_the_package_of_what_is_missing(harness: Run, tmp_path: Path) -> None:
    answer = harness("doctor", PATH=str(tmp_path))
    assert answer.returncode == 3
    assert "apt-get install" in answer.stdout
    assert "qemu-system-x86" in answer.stdout


def test_every_command_has_examples_or_says_what_it_does(harness: Run) -> None:
    for command in ("run", "boot", "inspect", "build"):
        assert "Examples:" in harness(command, "--help").stdout
