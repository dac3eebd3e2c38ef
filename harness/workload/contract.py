"""What any allocator must keep of its word, whichever blocks it chooses."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from harness.check.findings import LIMIT, Findings
from harness.check.model import Model
from harness.check.runs import FRAME_SIZE
from harness.workload.blocks import Blocks, in_frames, of_kinds, overlaps
from harness.workload.operation import Flag, Kind, Operations, in_words

HEAP_ALIGNMENT = 8
"""Of every block of a heap, in bytes; the i386 ABI asks for 4 at most (System V, table 2.1)."""
OBJECT_ALIGNMENT = 4
"""Of every object of a slab cache, whatever it asks for: a free one holds a pointer."""
_TOP = 1 << 32

_ALIGNMENTS = {
    Kind.FRAMES_ALLOC: FRAME_SIZE,
    Kind.HEAP_ALLOC: HEAP_ALIGNMENT,
    Kind.SLAB_ALLOC: OBJECT_ALIGNMENT,
    Kind.USER_HEAP_ALLOC: HEAP_ALIGNMENT,
}
_SHARED = ((Kind.HEAP_ALLOC, Kind.SLAB_ALLOC), (Kind.USER_HEAP_ALLOC,))
"""Kinds of blocks that are told apart by virtual address: the kernel's, and those of its users."""

Mask = npt.NDArray[np.bool_]


def check_blocks(findings: Findings, model: Model, operations: Operations, blocks: Blocks) -> None:
    """Report blocks that are not aligned, lie where they must not, or overlap.

    What user regions and address spaces may be is for their policy to say: regions of two spaces
    have the same addresses.
    """
    sound = {kind: _aligned(findings, operations, blocks, kind) for kind in _ALIGNMENTS}
    frames = sound.pop(Kind.FRAMES_ALLOC)
    sound_frames = _inside(findings, operations, frames, _outside(model, frames))
    _check_overlaps(findings, operations, sound_frames)
    _check_zones(findings, model, operations, blocks[in_frames(blocks)])
    for kinds in _SHARED:
        chosen = np.concatenate([sound[kind] for kind in kinds])
        chosen = chosen[np.argsort(chosen["born"])]
        inside = _inside(findings, operations, chosen, chosen["end"] > _TOP)
        _check_overlaps(findings, operations, inside)


def _aligned(findings: Findings, operations: Operations, blocks: Blocks, kind: Kind) -> Blocks:
    """Report the blocks of one kind that are not aligned; return the others."""
    chosen, alignment = of_kinds(blocks, kind), _ALIGNMENTS[kind]
    crooked = chosen["start"] % alignment != 0
    what = f"which is no multiple of {alignment}"
    _report(findings, "alignment", operations, chosen[crooked], what, ("V11",))
    sound: Blocks = chosen[~crooked]
    return sound


def _inside(findings: Findings, operations: Operations, blocks: Blocks, outside: Mask) -> Blocks:
    """Report the blocks that are ``outside``; return the others."""
    what = "where no allocator may give anything out"
    _report(findings, "outside", operations, blocks[outside], what, ("V1", "V2"))
    inside: Blocks = blocks[~outside]
    return inside


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


def _check_overlaps(findings: Findings, operations: Operations, blocks: Blocks) -> None:
    for index, other in overlaps(blocks, LIMIT):
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
