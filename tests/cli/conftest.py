"""The command, run as a user runs it: in processes of its own, with files for its streams."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest

from harness.cli.group import COMMANDS
from harness.cli.main import main

HARNESS = Path(sys.executable).with_name("harness")
SECONDS = 100

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def loaded() -> ForkServerContext:
    """Processes that begin with the command's code loaded, which takes longer than most runs.

    The installed file itself is run where streams, terminals and interrupts are tested.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([f"harness.cli.{name}" for name in ("group", *COMMANDS)])
    return context


def run_main(
    arguments: list[str], folder: Path, environment: dict[str, str], streams: Path
) -> None:
    """Be the installed command: its arguments, folder, environment and standard streams."""
    for number, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(streams / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = [str(HARNESS), *arguments]
    main()


@pytest.fixture
def harness(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, loaded: ForkServerContext
) -> Run:
    """Run ``harness`` with arguments, in an empty folder; return what it said and its exit code."""

    def run(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
        streams, words = tmp_path_factory.mktemp("streams"), [str(word) for word in arguments]
        process = loaded.Process(
            target=run_main, args=(words, tmp_path, {**os.environ, **environment}, streams)
        )
        process.start()
        process.join(SECONDS)
        assert process.exitcode is not None, "it still runs"
        said = [(streams / name).read_text() for name in ("stdout", "stderr")]
        return subprocess.CompletedProcess(words, process.exitcode, *said)

    return run
