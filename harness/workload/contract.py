"""What any allocator must keep of its word, whichever blocks it chooses."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from harness.check.findings import LIMIT, Findings
from harness.check.model import Model
from harness.check.runs import FRAME_SIZE
from harness.workload.blocks import Blocks, in_frames, overlaps
from harness.workload.operation import Flag, Operations, in_words

HEAP_ALIGNMENT = 8
"""Of every block of a heap, in bytes; the i386 ABI asks for 4 at most (System V, table 2.1)."""
_TOP = 1 << 32

Mask = npt.NDArray[np.bool_]


def check_blocks(findings: Findings, model: Model, operations: Operations, blocks: Blocks) -> None:
    """Report blocks that are not aligned, lie where they must not, or overlap."""
    frames = in_frames(blocks)
    for mask, alignment in ((frames, FRAME_SIZE), (~frames, HEAP_ALIGNMENT)):
        chosen = blocks[mask]
        crooked = chosen["start"] % alignment != 0
        what = f"which is no multiple of {alignment}"
        _report(findings, "alignment", operations, chosen[crooked], what, ("V11",))
        chosen = chosen[~crooked]
        outside = _outside(model, chosen) if alignment == FRAME_SIZE else chosen["end"] > _TOP
        what = "where no allocator may give anything out"
        _report(findings, "outside", operations, chosen[outside], what, ("V1", "V2"))
        _check_overlaps(findings, operations, chosen[~outside], alignment)
    _check_zones(findings, model, operations, blocks[frames])


def _outside(model: Model, blocks: Blocks) -> Mask:
    """Return which blocks have a frame that must not be handed out."""
    forbidden = np.concatenate(([0], np.cumsum(~model.allocatable)))
    first, end = blocks["start"] // FRAME_SIZE, blocks["end"] // FRAME_SIZE
    beyond: Mask = end > model.frames
    first, end = np.minimum(first, model.frames), np.minimum(end, model.frames)
    within: Mask = forbidden[end] != forbidden[first]
    return beyond | within


def _check_zones(findings: Findings, model: Model, operations: Operations, blocks: Blocks) -> None:
    """Report frames above the zone that was wished for; the narrowest wish counts."""
    ends = {zone.name: zone.frames.stop * FRAME_SIZE for zone in model.zones}
    dma = (blocks["flags"] & Flag.DMA) != 0
    high = ((blocks["flags"] & Flag.HIGH) != 0) & ((blocks["flags"] & Flag.NORMAL) == 0)
    for name, wished in (("dma", dma), ("normal", ~dma & ~high)):
        if name in ends:
            above = wished & (blocks["end"] > ends[name])
            what = f"above the end of zone {name}, 0x{ends[name]:x}"
            _report(findings, "zone", operations, blocks[above], what, ("V11",))


def _check_overlaps(
    findings: Findings, operations: Operations, blocks: Blocks, alignment: int
) -> None:
    for index, other in overlaps(blocks, alignment, LIMIT):
        older = blocks[other]
        what = f"over the block that operation {older['born']} was given at 0x{older['start']:x}"
        _report(findings, "overlap", operations, blocks[index : index + 1], what, ("V4",))


def _report(
    findings: Findings,
    kind: str,
    operations: Operations,
    blocks: Blocks,
    what: str,
    properties: tuple[str, ...],
) -> None:
    """Report each block; the words of those beyond the limit nobody will read."""
    physical = in_frames(blocks).tolist()
    for number, block in enumerate(blocks):
        born, start, words = int(block["born"]), int(block["start"]), ""
        if number < LIMIT:
            words = f"operation {born}, {in_words(operations[born])}, was given 0x{start:x}, {what}"
        findings.add(kind, words, properties, start, physical[number])
