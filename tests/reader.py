"""What somebody has who uses this checkout from a shell."""

from __future__ import annotations

import os
import sys
from importlib.metadata import entry_points
from pathlib import Path

TOP = Path(__file__).resolve().parents[1]


def shell_environment() -> dict[str, str]:
    """Return the environment: the tools on PATH, the plugin in pytest, and nothing of this run."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    tools = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**own, "PATH": tools, "PYTHONPATH": str(TOP), "COLUMNS": "120"}
    if "mm_harness" not in entry_points(group="pytest11").names:
        environment["PYTEST_PLUGINS"] = "harness.pytest_plugin"
    return environment
