"""``free``: free memory, by zone and order where the allocator has them."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from typing import Any

from harness.check.observation import Observation
from harness.decode.belief.frames import FreeLists
from harness.report.state_json import plain
from harness.report.state_text import bitmap_text, bump_text, free_lists_text, pair_map_text
from harness.report.views.check import figures_text
from harness.report.views.lines import faults_text
from harness.report.views.view import Answer, View


def show_free(seen: Observation, options: Namespace) -> Answer:
    """Return each frame allocator's free blocks, with the kernel's own counts beside them."""
    state = seen.state
    zones = [zone.name for zone in seen.kernel.description.zones]
    parts = [figures_text(seen.inspection)]
    for lists in state.free_lists:
        parts += [free_lists_text(lists, zones), *_counts(lists, zones)]
    parts += [pair_map_text(pairs, zones) for pairs in state.pair_maps]
    parts += [bitmap_text(bitmap) for bitmap in state.bitmaps if bitmap.chosen]
    parts += [bump_text(bump) for bump in state.bumps if bump.chosen]
    names = [one.name for one in state.free_lists] + [one.name for one in state.pair_maps]
    parts += faults_text(state, names) if names else []
    json: dict[str, Any] = {
        name: plain(getattr(state, name)) for name in ("free_lists", "bitmaps", "bumps")
    }
    return Answer("\n".join(parts), json)


def _counts(lists: FreeLists, zones: list[str]) -> Iterator[str]:
    """Yield the kernel's own counts where they differ from what is on the lists."""
    for zone, counted in lists.free_frames.items():
        found = sum(len(one.frames) << one.order for one in lists.lists if one.zone == zone)
        if counted != found:
            name = zones[zone] if zone < len(zones) else str(zone)
            yield f"  {name}: the kernel counts {counted} free frames, its lists have {found}"


FREE = View(
    name="free",
    summary="Show free memory: blocks by zone and order, bitmaps, and what the kernel counts.",
    show=show_free,
)
