"""QEMU's GDB stub on a path, for debuggers that can only attach to one."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from harness.machine.errors import MachineError, SpecError
from harness.machine.guest import Guest
from harness.machine.scratch import scratch_folder

LONGEST_PATH = 107
"""Bytes of a Unix socket's path on Linux (unix(7))."""


@contextlib.contextmanager
def gdb_socket(guest: Guest) -> Iterator[Path]:
    """Let QEMU's GDB stub listen on a Unix socket in a private folder, both gone at the end.

    The folder is where the ``tempfile`` module puts its own; raise :class:`SpecError` when that
    is too long a path. Attaching pauses the guest. :meth:`Guest.stub` needs no path.
    """
    with scratch_folder(Path(tempfile.gettempdir()), "harness-") as folder:
        path = folder / "gdb"
        if len(bytes(path)) > LONGEST_PATH:
            raise SpecError(
                f"{path} is too long for a socket, at most {LONGEST_PATH} bytes: set TMPDIR"
            )
        # The monitor splits words at blanks, and QEMU options at commas.
        name = str(path).replace("\\", "\\\\").replace('"', '\\"').replace(",", ",,")
        guest.qemu(f'gdbserver "unix:{name},server=on,wait=off"')
        try:
            yield path
        finally:
            with contextlib.suppress(MachineError):
                guest.qemu("gdbserver none")
