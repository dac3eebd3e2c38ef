"""A person's gdb on a guest of ours, from its start to its end."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import harness
from harness.debug.commands import Commands
from harness.debug.core_stub import CoreStub
from harness.debug.foreground import foreground_gdb
from harness.debug.gdb_side import client
from harness.debug.loop import Loop
from harness.debug.past_commands import past_commands
from harness.debug.saved import READ_ONLY, Saved, saved_commands
from harness.debug.server import listening, serving
from harness.debug.session import Choose, Session
from harness.debug.session_commands import commands_of
from harness.image.description import Description
from harness.machine.saved_guest import load_guest
from harness.machine.scratch import scratch_folder

START = Path(client.__file__).with_name("start.py")
"""What gdb runs first."""


def debug_by_hand(choose: Choose, where: str | None, record: bool, arguments: Sequence[str]) -> int:
    """Boot a guest and give a person gdb until it ends; return gdb's exit code.

    ``where`` and ``record`` as in :class:`Session`; ``arguments`` are more for gdb. The code is
    negative when a signal ended it.
    """
    with Loop() as loop, Session(loop, choose, where, record) as session:
        said = session.boot()
        own = [*commands_of(session, said), *past_commands(session)]
        commands = Commands(session, own)
        with scratch_folder(Path(tempfile.gettempdir()), "harness-") as folder:
            return _run_gdb(loop, folder, commands, session.guest.kernel.path, arguments)


def debug_core(core: Path, description: Description | None, arguments: Sequence[str]) -> int:
    """Give a person gdb on a guest that was saved, which cannot be changed; as above.

    Raises like :func:`harness.machine.saved_guest.load_guest`.
    """
    guest = load_guest(core, description)
    with Loop() as loop, scratch_folder(Path(tempfile.gettempdir()), "harness-") as folder:
        kernel, remote = folder / guest.kernel.path.name, folder / "gdb"
        kernel.write_bytes(guest.kernel.contents)
        saved = Saved(guest)
        commands = Commands(saved, saved_commands(saved, remote))
        with listening(remote, loop, lambda connection: CoreStub(guest, connection, loop)):
            return _run_gdb(loop, folder, commands, kernel, [*READ_ONLY, *arguments])


def _run_gdb(
    loop: Loop, folder: Path, commands: Commands, kernel: Path, arguments: Sequence[str]
) -> int:
    """Run gdb with the ``mm`` commands on the symbols of ``kernel``; return its exit code."""
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
