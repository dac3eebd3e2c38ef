"""Why two maps, page tables or states are not equal, in words."""

from __future__ import annotations

import sys
from typing import Any


def pytest_assertrepr_compare(op: str, left: Any, right: Any) -> list[str] | None:
    """Explain ``==`` of memory maps, of page tables and of decoded states."""
    if op != "==":
        return None
    if _both("harness.maps.memory_map", "MemoryMap", left, right):
        from harness.report.compare_maps import compare_maps

        return ["the memory maps differ (left: -, right: +):", *compare_maps(left, right)]
    return None


def _both(module: str, name: str, *values: Any) -> bool:
    """Return whether all values are of a class whose module somebody has loaded."""
    loaded = sys.modules.get(module)
    return loaded is not None and all(isinstance(one, getattr(loaded, name)) for one in values)
