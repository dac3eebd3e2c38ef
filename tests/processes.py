"""Processes that a test has started, found by a mark in their environment."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

END_SECONDS = 10.0
"""In which the kernel ends a process whose parent is gone (prctl(2), PR_SET_PDEATHSIG)."""


def marked(mark: str) -> list[str]:
    """Return the command lines of the processes with ``mark`` in their environment (proc(5))."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (folder / "environ").read_bytes():
                found.append((folder / "cmdline").read_text().replace("\0", " "))
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    return found


def left_after_a_while(mark: str) -> list[str]:
    """Return what :func:`marked` finds once nothing is there any more, or time is up."""
    deadline = time.monotonic() + END_SECONDS
    while (found := marked(mark)) and time.monotonic() < deadline:
        os.sched_yield()
    return found


@contextlib.contextmanager
def begun(
    command: Sequence[str], environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[str]]:
    """Start a program with pipes, and give it once it has printed ``begin``; kill what is left."""
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "begin\n"
            yield process
        finally:
            process.kill()
