"""Folders for a while, which Ctrl-C does not leave behind.

A ``tempfile.TemporaryDirectory`` that is interrupted while it removes itself never tries again, and
one that is interrupted right after it was made is not known to anybody.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
from collections.abc import Iterator
from multiprocessing.util import Finalize
from pathlib import Path

from harness.machine.signals import stops_wait


@contextlib.contextmanager
def scratch_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """Make a folder that only this user may enter; it is gone at the end, with what is in it.

    KeyboardInterrupt, or ``sys.exit`` in a handler of a signal, may come at any moment. Wherever
    that keeps the folder from being removed, it is removed when the process ends.
    """
    folder = parent / f"{prefix}{secrets.token_hex(6)}"
    # Before the folder is there. Also called where a process of ``multiprocessing`` ends, which
    # runs nothing of ``atexit``; not by those that are forked meanwhile.
    at_exit = Finalize(None, shutil.rmtree, (folder, True), exitpriority=0)
    try:
        folder.mkdir(mode=0o700)
        yield folder
    finally:
        with stops_wait():
            shutil.rmtree(folder, ignore_errors=True)
        at_exit.cancel()
