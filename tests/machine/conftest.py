"""What the tests of machines share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest


def _children() -> set[int]:
    found = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return {int(pid) for pid in found if "qemu" in Path(f"/proc/{pid}/comm").read_text()}


@pytest.fixture
def children() -> Callable[[], set[int]]:
    """Return a function that gives the process ids of the QEMUs that this test has started."""
    before = _children()
    return lambda: _children() - before
