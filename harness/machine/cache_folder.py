"""Folders of the cache whose files a machine needs: where none can be kept, that is said."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from harness.machine.errors import MachineError


@contextlib.contextmanager
def kept_in(folder: Path) -> Iterator[None]:
    """Make a folder of the cache for something that is needed as a file.

    Raise :class:`MachineError` when the folder cannot be made, or cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        yield
    except OSError as error:
        raise MachineError(
            f"cannot write to {folder}: {error.strerror}; set HARNESS_CACHE_DIR to a folder where "
            "files can be kept"
        ) from None
