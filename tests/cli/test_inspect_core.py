"""``harness inspect --core``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.image.kernel_image import KernelImage
from harness.machine.guest import Guest
from harness.machine.pool import Pool
from harness.machine.spec import MachineSpec
from tests.cli.conftest import Run

MEMORY = 16 << 20


@pytest.fixture
def guest(kernel: KernelImage, pool: Pool) -> Guest:
    guest = pool.boot(MachineSpec(kernel, MEMORY))
    guest.run_until_ready()
    guest.pause()
    return guest


def test_it_shows_what_the_guest_showed(harness: Run, guest: Guest, tmp_path: Path) -> None:
    guest.save_core(tmp_path / "x.core")
    done = harness("inspect", "--core", tmp_path / "x.core")
    assert done.returncode == 0, done.stderr
    assert done.stdout == harness("inspect", "--memory", "16M").stdout


def test_its_findings_are_the_exit_code(harness: Run, guest: Guest, tmp_path: Path) -> None:
    segment = next(one for one in guest.kernel.segments if one.executable)
    guest.ram.write(segment.physical + len(segment.data) - 1, b"\x17")
    guest.save_core(tmp_path / "x.core")
    done = harness("inspect", "--core", tmp_path / "x.core", "--json")
    assert done.returncode == 1
    assert [one["kind"] for one in json.loads(done.stdout)["violations"]] == ["contents.text"]


def test_another_description_reads_it(harness: Run, guest: Guest, tmp_path: Path) -> None:
    guest.save_core(tmp_path / "x.core")
    (tmp_path / "harness.toml").write_text('name = "bare"\n')
    done = harness("inspect", "--core", tmp_path / "x.core", "--kernel", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "no violations in what is described" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--memory", "16M"), "takes no flags about a machine"),
        (("--cross-check",), "takes no flags about a machine"),
        (("--moment", "noon"), "no moment 'noon'; this kernel has ready, early"),
        (("--kernel", "KERNEL"), "names a description"),
    ],
)
def test_flags_that_do_not_go_with_it(
    harness: Run, guest: Guest, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    guest.save_core(tmp_path / "x.core")
    given = [str(guest.kernel.path) if one == "KERNEL" else one for one in arguments]
    done = harness("inspect", "--core", tmp_path / "x.core", *given)
    assert done.returncode == 2
    assert words in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_a_file_that_is_no_core(harness: Run, tmp_path: Path) -> None:
    (tmp_path / "x.core").write_bytes(b"\x7fELF" + bytes(1000))
    done = harness("inspect", "--core", tmp_path / "x.core")
    assert done.returncode == 3
    assert done.stderr.startswith("harness: ")
    assert "x.core: not a usable ELF core" in done.stderr
