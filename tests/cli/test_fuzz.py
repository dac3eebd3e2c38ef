"""``harness fuzz`` and ``harness replay``, as a user types them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from harness.fuzz.store import open_store
from tests.cli.conftest import HARNESS, Run
from tests.machine.kernels import READY, assemble
from tests.processes import left_after_a_while
from tests.reader import TOP

EMPTY_MAP = '{"entries": [{"base": 0, "length": 16777216, "type": 2}]}'


# The kernel is built already: nothing is said of that.
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("telling_kernel")]


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


def test_a_campaign_is_not_begun_over_another(harness: Run, tmp_path: Path) -> None:
    campaign = ("fuzz", "--cases", "2", "--jobs", "1", "--memory", "16M")
    answer = harness(*campaign, "--resume")
    assert answer.returncode == 2
    assert "holds no campaign to go on with" in answer.stderr
    assert list(tmp_path.iterdir()) == []
    assert harness(*campaign).returncode == 0
    answer = harness(*campaign)
    assert answer.returncode == 2
    assert "--resume goes on" in answer.stderr
    assert harness(*campaign, "--resume").stdout.startswith("4 cases: ")


def test_a_campaign_that_goes_on_keeps_its_seed(harness: Run) -> None:
    begin = ("fuzz", "--cases", "1", "--jobs", "1", "--memory", "16M", "--json")
    resume = (*begin, "--resume")
    assert harness(*begin, "--seed", "7").returncode == 0
    answer = harness(*resume, "--seed", "0")
    assert answer.returncode == 2
    assert "with --seed 7, and this one is with 0: leave --seed out" in answer.stderr
    assert json.loads(harness(*resume).stdout)["seed"] == 7
    assert json.loads(harness(*resume, "--seed", "7").stdout)["cases"] == 3


def test_a_campaign_that_goes_on_keeps_its_coverage(harness: Run, tmp_path: Path) -> None:
    begin = ("fuzz", "--cases", "1", "--jobs", "1", "--memory", "16M", "--json")
    resume = (*begin, "--resume")
    assert harness(*begin, "--coverage", "none").returncode == 0
    again = json.loads(harness(*resume).stdout)
    assert (again["cases"], again["coverage"], again["edges"]) == (2, "none", 0)
    for other in ("qemu", "compiler"):
        answer = harness(*resume, "--coverage", other)
        assert answer.returncode == 2
        assert f"with --coverage none, and this one is with {other}: leave" in answer.stderr


@pytest.mark.parametrize(
    ("folder", "said"),
    [
        ("/proc/x", "/proc/x: no folder can be made there; take another --folder"),
        ("/proc", "/proc/corpus: no folder can be made there; take another --folder"),
        ("/sys/x", r"/sys/x: .*; let it be written to, or take another --folder"),
        ("loop", "loop: it is no folder; take another --folder"),
        ("of-file", "of-file/corpus: it is no folder; take another --folder"),
        ("of-file/corpus/x", "of-file/corpus/x: Not a directory; take another --folder"),
        ("a" * 300, "a{300}: File name too long; take another --folder"),
    ],
)
def test_a_place_that_can_hold_no_campaign_is_named(
    harness: Run, tmp_path: Path, folder: str, said: str
) -> None:
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "of-file").mkdir()
    (tmp_path / "of-file" / "corpus").write_text("")
    answer = harness("fuzz", "--cases", "1", "--folder", folder)
    assert answer.returncode == 3
    assert re.fullmatch(f"harness: cannot write to {said}\n", answer.stderr), answer.stderr


def test_a_duration_that_is_none_is_refused(harness: Run) -> None:
    answer = harness("fuzz", "--time", "soon")
    assert answer.returncode == 2
    assert "'soon' is no duration" in answer.stderr


@pytest.mark.parametrize("memory", ["0", "4K", "1M"])
def test_memory_for_no_machine_is_refused(harness: Run, memory: str) -> None:
    answer = harness("fuzz", "--cases", "2", "--memory", memory)
    assert answer.returncode == 2
    assert "take another size" in answer.stderr


def test_the_reader_of_its_progress_may_go(tmp_path: Path) -> None:
    command = [HARNESS, "fuzz", "--cases", "2000", "--time", "8", "--jobs", "1", "--memory", "16M"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        process.stderr.close()
        assert process.stdout is not None
        assert "0 findings" in process.stdout.read()
    assert process.returncode == 0


def test_a_killed_campaign_s_folder_is_known(harness: Run, tmp_path: Path) -> None:
    with subprocess.Popen([HARNESS, "fuzz", "--jobs", "1"], cwd=tmp_path) as process:
        while not list(tmp_path.glob("fuzz/corpus/*.json")):
            assert process.poll() is None
            os.sched_yield()
        process.kill()
    answer = harness("fuzz", "--cases", "1")
    assert answer.returncode == 2
    assert "holds a campaign" in answer.stderr


def test_a_kernel_that_nobody_hears_say_ready_is_slow_and_that_is_said_once(
    harness: Run, tmp_path: Path
) -> None:
    assemble(tmp_path, READY)
    campaign = ("fuzz", "--cases", "2", "--jobs", "1", "--memory", "16M", "--coverage", "none")
    answer = harness(*campaign, "--folder", "bare", "--kernel", "kernel.elf")
    assert answer.stderr.count("each case waits until it halts, or for 10 s of CPU time") == 1
    assert "begin a description with 'harness init kernel.elf', and write it there" in answer.stderr
    assert harness("init", "kernel.elf").returncode == 0
    answer = harness(*campaign, "--folder", "begun", "--kernel", "harness.toml")
    assert f"write it into {tmp_path / 'harness.toml'}, under [console], such" in answer.stderr
    description = (tmp_path / "harness.toml").read_text()
    assert description.count("# ready = '^ready'") == 1
    told = description.replace("# [console]", "[console]").replace("# ready =", "ready =")
    (tmp_path / "harness.toml").write_text(told)
    answer = harness(*campaign, "--folder", "told", "--kernel", "harness.toml")
    assert answer.returncode == 0
    assert answer.stderr == ""


@pytest.mark.parametrize("unreadable", [False, True])
@pytest.mark.parametrize(
    ("name", "without_resume", "advice"),
    [
        ("campaign.json", True, "move it away, and begin without --resume: all else is kept"),
        ("corpus/000000.json", False, "move it away, and go on with --resume"),
        (
            "findings/one/first-case.json",
            False,
            "move its folder out of the campaign, and go on with --resume",
        ),
    ],
)
def test_the_advice_on_a_damaged_file_helps(
    harness: Run, tmp_path: Path, name: str, without_resume: bool, advice: str, unreadable: bool
) -> None:
    campaign = ("fuzz", "--cases", "2", "--jobs", "1", "--memory", "16M", "--coverage", "none")
    assert harness(*campaign).returncode == 0
    damaged = tmp_path / "fuzz" / name
    damaged.parent.mkdir(exist_ok=True)
    damaged.unlink(missing_ok=True)
    if unreadable:
        damaged.mkdir()
    else:
        damaged.write_text("{")
    answer = harness(*campaign, "--resume")
    assert answer.returncode == 2
    assert answer.stderr.startswith(f"harness: {'cannot read ' * unreadable}fuzz/{name}")
    assert answer.stderr.endswith(f"; {advice}\n")
    away = damaged.parent if "folder" in advice else damaged
    away.rename(tmp_path / "away")
    answer = harness(*campaign, *(() if without_resume else ("--resume",)))
    assert answer.returncode == 0, answer.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("whole_group", [False, True])
def test_a_campaign_that_is_to_stop_ends_in_a_summary(
    tmp_path: Path, number: signal.Signals, whole_group: bool
) -> None:
    mark = f"HARNESS_TEST_MARK={tmp_path}"
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with subprocess.Popen(
        [HARNESS, "fuzz", "--jobs", "2", "--memory", "16M"],
        cwd=tmp_path,
        env={**os.environ, **dict([mark.split("=")]), "TMPDIR": str(scratch)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        while len(list(tmp_path.glob("fuzz/corpus/*.json"))) < 5:
            assert process.poll() is None
            os.sched_yield()
        (os.killpg if whole_group else os.kill)(process.pid, number)
        said, errors = process.communicate(timeout=30)
    assert process.returncode == 128 + number, errors
    assert "Traceback" not in errors
    found = re.match(r"(\d+) cases: .* 0 lost; .*; 0 findings\n", said)
    assert found is not None, said
    assert left_after_a_while(mark) == []
    assert list(scratch.iterdir()) == []
    with open_store(tmp_path / "fuzz") as store:
        counts = store.counts()
        assert counts is not None
        assert counts.cases == int(found[1])
        assert len(list(store.corpus())) >= 5


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
    assert "case.json holds no case" in answer.stderr
    assert answer.stderr.endswith("; take one as 'harness fuzz' leaves it\n")


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


def test_a_display_s_memory_is_not_claimed_for_a_second_opinion(
    harness: Run, tmp_path: Path
) -> None:
    case = {"memory": 4 << 20, "map": {"entries": [{"base": 0, "length": 8 << 30, "type": 1}]}}
    file = {"format": 1, "case": case, "kernel": {"digest": "", "path": ""}}
    (tmp_path / "case.json").write_text(json.dumps(file))
    assert harness("replay", "case.json").stdout.endswith("\ngood\n")
    answer = harness("replay", "case.json", "--boot", "multiboot")
    assert answer.stdout.endswith("\ngood\n")
    assert "decides about what is at 0xfd000000" in answer.stderr


def test_operations_that_a_kernel_cannot_carry_out_are_no_traceback(
    harness: Run, tmp_path: Path
) -> None:
    with_everything(tmp_path)
    answer = harness("replay", "case.json", "--kernel", TOP / "examples" / "pae")
    assert answer.returncode == 2
    said = " ".join(re.sub("[│╭╮╰╯─]", "", answer.stderr).split())
    assert "the case has operations, and this kernel takes none" in said
    assert "give the kernel that it was found with" in said


def test_no_program_of_a_case_s_is_run(harness: Run, tmp_path: Path) -> None:
    with_everything(tmp_path)
    file = json.loads((tmp_path / "case.json").read_text())
    file["kernel"]["variables"] = {"CC": "touch owned; gcc"}
    (tmp_path / "case.json").write_text(json.dumps(file))
    answer = harness("replay", "case.json")
    assert answer.returncode == 2
    assert "give it yourself: --build 'CC=touch owned; gcc'" in answer.stderr
