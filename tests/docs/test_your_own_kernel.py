"""The page for those who bring a kernel: each of its steps is taken, in order, in a copy."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from harness.image.build import build_directory
from harness.image.description import load_description
from tests.docs.walkthrough import Addition, Change, Command, Step, steps
from tests.reader import TOP, shell_environment

pytestmark = pytest.mark.slow

PAGE = TOP / "docs" / "your-own-kernel.md"


@pytest.fixture(scope="module")
def top(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the examples, where the page begins."""
    top = tmp_path_factory.mktemp("checkout")
    ignored = shutil.ignore_patterns("build", "__pycache__", ".*")
    shutil.copytree(TOP / "examples", top / "examples", ignore=ignored)
    return top


def test_each_step_does_what_the_page_says(top: Path) -> None:
    taken = list(steps(PAGE))
    assert len(taken) > 10
    folder = top
    try:
        for step in taken:
            folder = take(step, folder)
    finally:
        _forget_builds(folder)


def take(step: Step, folder: Path) -> Path:
    """Take one step in ``folder``; return the folder for the next one."""
    where = f"{PAGE.name}:{step.line}"
    if isinstance(step, Addition):
        file = folder / step.file
        file.parent.mkdir(exist_ok=True)
        with file.open("a", encoding="utf-8") as stream:
            stream.write(step.text)
    elif isinstance(step, Change):
        done = run(["patch", "--no-backup-if-mismatch", "-p1"], folder, step.text)
        assert done.returncode == 0, f"{where}: {done.stdout}"
    elif step.text.startswith("cd "):
        return folder / step.text.removeprefix("cd ")
    else:
        _run_command(step, folder, where)
    return folder


def _run_command(step: Command, folder: Path, where: str) -> None:
    found = run(["bash", "-c", step.text], folder).stdout
    assert step.printed(found), f"{where}: {step.text}\nwanted:\n{step.output}\n\nfound:\n{found}"


def run(command: list[str], folder: Path, given: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command as a reader would, who sees both of its outputs.

    Its exit code may be anything: a command that fails says so.
    """
    return subprocess.run(
        command,
        cwd=folder,
        input=given,
        env=shell_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=100,
        check=False,
    )


def _forget_builds(folder: Path) -> None:
    """Remove what was built of the copy, whose folder nobody will ever have again."""
    file = folder / "harness.toml"
    if file.exists():
        directory = build_directory(load_description(file), {})
        shutil.rmtree(directory, ignore_errors=True)
        Path(f"{directory}.lock").unlink(missing_ok=True)
