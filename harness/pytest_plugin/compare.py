"""Why two memory maps or page tables are not equal, in words."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.decode.belief.paging import PageTables


def pytest_assertrepr_compare(op: str, left: Any, right: Any) -> list[str] | None:
    """Explain ``==`` of memory maps and of page tables."""
    if op != "==":
        return None
    if _both("harness.maps.memory_map", "MemoryMap", left, right):
        from harness.report.compare_maps import compare_maps

        return ["the memory maps differ (left: -, right: +):", *compare_maps(left, right)]
    if _both("harness.decode.belief.paging", "PageTables", left, right):
        return ["the page tables differ (left: before, right: now):", *_page_tables(left, right)]
    return None


def _page_tables(left: PageTables, right: PageTables) -> list[str]:
    from harness.check.changed_pages import note_mappings
    from harness.check.changes import Changes

    changes = Changes()
    changes.add_value("page tables", "mode", left.mode, right.mode)
    changes.add_value("page tables", "top table", hex(left.root), hex(right.root))
    note_mappings(changes, "page tables", left, right)
    return [str(change) for change in changes.result()] or ["only in which tables they lie"]


def _both(module: str, name: str, *values: Any) -> bool:
    """Return whether all values are of a class whose module somebody has loaded."""
    loaded = sys.modules.get(module)
    return loaded is not None and all(isinstance(one, getattr(loaded, name)) for one in values)
