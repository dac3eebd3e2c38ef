"""The package as a user has it: installed from its wheel, far from any checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import harness

pytestmark = pytest.mark.slow

CHECKOUT = Path(harness.__file__).resolve().parents[1]
COMMAND = "from harness.cli.main import main; main()"
SUITE = """
import pathlib
import harness

def test_the_bundled_kernel(guest):
    assert "site" in pathlib.Path(harness.__file__).parts
    assert "site" in guest.kernel.description.path.parts
    guest.check()
    assert guest.debugger.evaluate("1 + 1") == 2
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the wheel's files are, as pip would put them."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=CHECKOUT, check=True, capture_output=True, timeout=100)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def run(site: Path, folder: Path, *arguments: str) -> str:
    """Run Python in ``folder`` with the wheel's files alone; return what it said."""
    environment = {name: value for name, value in os.environ.items() if "PYTEST" not in name}
    environment |= {"PYTHONPATH": str(site), "HARNESS_CACHE_DIR": str(site.parent / "cache")}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_bundled_kernel_comes_along(site: Path, tmp_path: Path) -> None:
    (tmp_path / "test_suite.py").write_text(SUITE)
    said = run(site, tmp_path, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--mm-memory=16M")
    assert "1 passed" in said
    arguments = ("run", "--memory", "16M", "--map", "isa-hole-ali-192M", "--boot", "iso")
    assert "1 machine: 1 good" in run(site, tmp_path, "-c", COMMAND, *arguments)


def test_a_user_s_kernel(site: Path, tmp_path: Path) -> None:
    for part in ("common", "frame-stack"):
        shutil.copytree(CHECKOUT / "examples" / part, tmp_path / part)
    folder = tmp_path / "frame-stack"
    said = run(site, folder, "-c", COMMAND, "run", "--kernel", ".", "--memory", "16M")
    assert "1 machine: 1 good" in said
    passed = run(
        site, folder, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_tasks.py"
    )
    assert "failed" not in passed
