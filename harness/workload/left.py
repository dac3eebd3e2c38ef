"""What a tape has left at its end: slots, held frames, and what was written into live blocks."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from harness.check.findings import Findings
from harness.check.runs import FRAME_SIZE
from harness.decode.address_space import AddressSpace, NotReadable
from harness.decode.state import MemoryState
from harness.ram.protocol import AbsentMemory, Ram
from harness.workload.blocks import Blocks, in_frames, of_kinds
from harness.workload.operation import Flag, Kind
from harness.workload.pattern import pattern
from harness.workload.tape import Tape

HELD = "held"
"""The frame table's name for frames that callers of the frame interface have."""
_PIECE = 1 << 20
"""Bytes that are compared at once."""


def check_slots(findings: Findings, tape: Tape, blocks: Blocks) -> None:
    """Report slots that hold something else than the results say."""
    wanted = dict(zip(blocks["slot"].tolist(), blocks["start"].tolist(), strict=True))
    found = tape.live()
    for slot in sorted(wanted.keys() | found.keys()):
        if wanted.get(slot) != found.get(slot):
            has, must = found.get(slot, 0), wanted.get(slot, 0)
            words = f"slot {slot} holds 0x{has:x} at the end, and 0x{must:x} by the results"
            findings.add("slots", words, ("V6",))


def check_held(
    findings: Findings, before: MemoryState, after: MemoryState, blocks: Blocks, tape: Tape
) -> None:
    """Report frames that callers hold without having got them, or the other way round.

    A block is as large as it was granted: that may be more than was asked for.
    """
    held, at_first = _held(after), _held(before)
    if held is None or at_first is None:
        return
    wanted = np.zeros(len(held), dtype=np.bool_)
    wanted[: len(at_first)] = at_first
    sizes = tape.sizes()
    for block in blocks[in_frames(blocks)]:
        first, granted = int(block["start"]) // FRAME_SIZE, int(sizes[block["slot"]])
        wanted[first : first + granted] = True
        if (first + granted) * FRAME_SIZE < block["end"]:
            words = f"slot {block['slot']} has fewer frames than were asked for"
            findings.add("held", words, ("V11",), int(block["start"]))
    findings.add_frames("held", held & ~wanted, "held, and nobody was given [it|them]", ("V3",))
    findings.add_frames("held", wanted & ~held, "a live block's, and not held", ("V4",))


def _held(state: MemoryState) -> npt.NDArray[np.bool_] | None:
    if state.held is not None:
        return state.held.taken
    table = state.frame_table
    return table.owners.get(HELD) if table is not None else None


def check_contents(findings: Findings, ram: Ram, state: MemoryState, blocks: Blocks) -> None:
    """Report blocks that were filled and do not hold their pattern, or cannot be reached.

    Those in user space are reached in their own address space only: they are left out.
    """
    space = AddressSpace(ram, state.page_tables)
    filled = of_kinds(blocks, Kind.FRAMES_ALLOC, Kind.HEAP_ALLOC, Kind.SLAB_ALLOC)
    filled = filled[(filled["flags"] & Flag.FILL) != 0]
    physical = in_frames(filled).tolist()
    for block, is_physical in zip(filled, physical, strict=True):
        slot, start, end = (int(block[name]) for name in ("slot", "start", "end"))
        try:
            wrong = _first_wrong(ram if is_physical else space, slot, start, end)
        except (AbsentMemory, NotReadable) as error:
            findings.add("contents", f"slot {slot}: {error}", ("V9",), start, is_physical)
            continue
        if wrong is not None:
            words = f"slot {slot}'s block at 0x{start:x} is overwritten from 0x{wrong:x}"
            findings.add("contents", words, ("V9",), wrong, is_physical)


def _first_wrong(memory: Ram | AddressSpace, slot: int, start: int, end: int) -> int | None:
    """Return the address of the first byte in [start, end) that is not the slot's pattern's."""
    for piece in range(start, end, _PIECE):
        length = min(_PIECE, end - piece)
        data = memory.array(piece, np.uint8, length)
        wrong = np.flatnonzero(data != pattern(slot, length, piece - start))
        if len(wrong):
            return piece + int(wrong[0])
    return None
