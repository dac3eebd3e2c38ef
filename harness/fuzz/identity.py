"""Which program this is, to the letter: parts of one on several machines must be the same."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from harness.image.description import bundled_path

_PACKAGE = Path(__file__).resolve().parents[1]


@cache
def identity() -> str:
    """Return the version, and a digest of the source: two checkouts may call themselves alike."""
    digest = hashlib.sha256()
    for path in (*sorted(_PACKAGE.rglob("*.py")), bundled_path()):
        digest.update(path.read_bytes())
    return f"{_version()} ({digest.hexdigest()[:8]})"


def _version() -> str:
    try:
        return version("mm-harness")
    except PackageNotFoundError:
        return "not installed"
