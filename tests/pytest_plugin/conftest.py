"""Somebody else's suite, run in a pytest of its own with this checkout's plugin."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

import harness
from harness.image.cache import cache_directory

CHECKOUT = Path(harness.__file__).resolve().parents[1]
CACHE = cache_directory()

_ENTRY_POINTS = """
[pytest11]
mm_harness = harness.pytest_plugin
[hypothesis]
mm_harness = harness.fuzz.for_hypothesis:register
"""

Run = Callable[..., pytest.RunResult]


@pytest.fixture
def user(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """An empty project of a user who has this very checkout installed."""
    installed = pytester.mkdir("installed")
    metadata = installed / "checkout-0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: checkout\nVersion: 0\n")
    (metadata / "entry_points.txt").write_text(_ENTRY_POINTS)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(CHECKOUT), str(installed)]))
    monkeypatch.setenv("HARNESS_CACHE_DIR", str(CACHE))
    for name in ("PYTEST_ADDOPTS", "CI"):  # Hypothesis has other settings there
        monkeypatch.delenv(name, raising=False)
    pytester.makeini("[pytest]\ntimeout = 60\n")
    return pytester


@pytest.fixture
def run(user: pytest.Pytester) -> Run:
    """Run a suite given as text; return what pytest said."""

    def run_suite(suite: str, *arguments: str) -> pytest.RunResult:
        user.makepyfile(test_suite="import pytest\n" + suite)
        return user.runpytest_subprocess("-p", "no:cacheprovider", *arguments)

    return run_suite
