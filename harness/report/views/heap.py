"""``heap``: every heap with its areas and blocks."""

from __future__ import annotations

from argparse import Namespace

from harness.check.observation import Observation
from harness.report.state_json import plain
from harness.report.state_text import (
    header_chain_text,
    heap_text,
    large_blocks_text,
    subblock_heap_text,
)
from harness.report.views.lines import MOST, faults_text
from harness.report.views.view import Answer, View


def show_heap(seen: Observation, options: Namespace) -> Answer:
    """Return the heaps of this boot, block by block."""
    state = seen.state
    parts = [heap_text(heap, MOST) for heap in state.heaps]
    parts += [subblock_heap_text(heap, MOST) for heap in state.subblock_heaps]
    parts += [header_chain_text(chain, MOST) for chain in state.header_chains]
    parts += [large_blocks_text(blocks, MOST) for blocks in state.large_blocks]
    described = seen.kernel.description
    heaps = (described.heaps, described.subblock_heaps, described.header_chains)
    names = [one.name for kind in (*heaps, described.large_blocks) for one in kind]
    faults = faults_text(state, names) if names else []
    if not parts:
        parts = ["no heap can be decoded here" if names else "no heap is described"]
    json = {
        name: plain(getattr(state, name))
        for name in ("heaps", "subblock_heaps", "header_chains", "large_blocks")
    }
    return Answer("\n".join([*parts, *faults]), json)


HEAP = View(name="heap", summary="Show the heaps: areas, blocks, headers.", show=show_heap)
