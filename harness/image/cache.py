"""What was read off a kernel's debug information once, kept between runs.

Plain JSON behind its digest: a damaged, foreign or half-written file is built anew, never believed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import platformdirs

FORMAT = 1
"""Raised whenever what any cached value means changes."""
KEPT_VALUES = 1000
"""Of each kind, those that were used last; the largest take 100 KiB each."""


def cache_directory() -> Path:
    """Return where caches belong: ``HARNESS_CACHE_DIR``, or what the platform says."""
    override = os.environ.get("HARNESS_CACHE_DIR")
    return Path(override) if override else platformdirs.user_cache_path("mm-harness")


def cached(kind: str, key: str, produce: Callable[[], Any]) -> Any:
    """Return the JSON value that ``produce`` gave for ``key`` in this or an earlier process.

    A cache that cannot be written (a read-only home) costs time only.
    """
    path = cache_directory() / kind / f"{key}.{FORMAT}.json"
    value = _load(path)
    if value is None:
        value = produce()
        with contextlib.suppress(OSError):
            _store(path, value)
            keep_last_used(path.parent, "*.json", KEPT_VALUES)
    return value


def note_use(path: Path) -> bool:
    """Note that a file of the cache is used now; return whether it is there."""
    try:
        os.utime(path)
    except FileNotFoundError:
        return False
    except OSError:  # somebody else's, which may be read
        return path.exists()
    return True


def last_use(path: Path) -> float:
    """Return when a file was used; long ago if somebody else has just removed it."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def keep_last_used(folder: Path, pattern: str, most: int) -> None:
    """Remove all files of a pattern but the ``most`` that were used last."""
    for path in sorted(folder.glob(pattern), key=last_use, reverse=True)[most:]:
        path.unlink(missing_ok=True)


def _load(path: Path) -> Any:
    try:
        digest, _, payload = path.read_bytes().partition(b"\n")
    except OSError:
        return None
    if digest != _digest(payload):
        return None
    note_use(path)
    return json.loads(payload)


def _store(path: Path, value: Any) -> None:
    payload = json.dumps(value, separators=(",", ":")).encode()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(_digest(payload) + b"\n" + payload)
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _digest(payload: bytes) -> bytes:
    return hashlib.sha256(payload).hexdigest().encode()
