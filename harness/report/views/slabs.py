"""``slabs``: caches of objects, and each of their slabs."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator

from harness.check.observation import Observation
from harness.decode.belief.slabs import Cache, Slab
from harness.report.state_json import plain
from harness.report.state_text import cache_text
from harness.report.views.lines import bounded, faults_text
from harness.report.views.view import Answer, View


def show_slabs(seen: Observation, options: Namespace) -> Answer:
    """Return the caches, each with its slabs in the order of their lists."""
    state = seen.state
    names = [one.name for one in seen.kernel.description.caches]
    lines: list[str] = []
    for caches in state.caches:
        lines.append(f"slab caches of {caches.name}: {len(caches.caches)}")
        for cache in caches.caches:
            lines += [f"  {cache_text(cache)}", *bounded(_slabs(cache), "slabs")]
    if not lines:
        lines = ["no slab can be decoded here" if names else "no slabs are described"]
    lines += faults_text(state, names) if names else []
    return Answer("\n".join(lines), plain(state.caches))


def _slabs(cache: Cache) -> Iterator[str]:
    for slab in cache.slabs:
        live = cache.capacity - len(slab.free)
        wrong = "".join(f", {word}" for word in _wrong(slab))
        yield (
            f"    {slab.page:#010x}  frame {slab.frame:#x}  {slab.listed:<8}"
            f"{live} live, {len(slab.free)} free{wrong}"
        )


def _wrong(slab: Slab) -> Iterator[str]:
    if not slab.header_good:
        yield "HEADER OVERWRITTEN"
    for damage in slab.damage[:4]:
        yield f"{damage.kind} of the object at {damage.object:#x} written at {damage.address:#x}"
    if len(slab.damage) > 4:
        yield f"and {len(slab.damage) - 4} more bytes"


SLABS = View(name="slabs", summary="Show the slab caches and each of their slabs.", show=show_slabs)
