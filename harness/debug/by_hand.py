"""A person's gdb on a guest of ours, from its start to its end."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import harness
from harness.debug.commands import Commands
from harness.debug.foreground import foreground_gdb
from harness.debug.inside_gdb import client
from harness.debug.loop import Loop
from harness.debug.server import serving
from harness.debug.session import Choose, Session
from harness.debug.session_commands import commands_of
from harness.machine.scratch import scratch_folder

START = Path(client.__file__).with_name("start.py")
"""What gdb runs first."""


def debug_by_hand(choose: Choose, where: str | None, arguments: Sequence[str]) -> int:
    """Boot a guest and give a person gdb until it ends; return gdb's exit code.

    ``where`` as in :class:`Session`; ``arguments`` are more for gdb. The code is negative when a
    signal ended it.
    """
    with Loop() as loop, Session(loop, choose, where) as session:
        said = session.boot()
        commands = Commands(session, commands_of(session, said))
        kernel = session.guest.kernel.path
        return run_gdb(loop, commands, kernel, arguments)


def run_gdb(loop: Loop, commands: Commands, kernel: Path, arguments: Sequence[str]) -> int:
    """Run gdb with the ``mm`` commands on the symbols of ``kernel``; return its exit code."""
    with scratch_folder(Path(tempfile.gettempdir()), "harness-") as folder:
        path = folder / "mm"
        environment = {**os.environ, client.SOCKET: str(path)}
        with (
            serving(path, loop, commands.answer),
            foreground_gdb(gdb_arguments(kernel, arguments), environment) as gdb,
        ):
            loop.add(gdb.exit_descriptor, lambda: None)
            loop.run(gdb.ended)
            return gdb.code


def gdb_arguments(kernel: Path, arguments: Sequence[str]) -> list[str]:
    """Return gdb's arguments.

    The person's ``~/.gdbinit`` is read. Nothing is loaded because it lies beside the kernel or in
    the current folder: the kernel may be somebody else's.
    """
    package = Path(harness.__file__).parents[1]
    path = f"python import sys; sys.path.append({str(package)!r})"
    own = ["--quiet", "-iex", "set auto-load off", "-iex", path, str(kernel), "-x", str(START)]
    return [*own, *arguments]
