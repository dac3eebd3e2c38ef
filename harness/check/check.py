"""All checks over one decoded state."""

from __future__ import annotations

from dataclasses import dataclass

from harness.check.bitmaps import check_bitmaps
from harness.check.blocks import Blocks
from harness.check.bumps import check_bumps
from harness.check.causes import causes_first
from harness.check.faults import every_fault
from harness.check.findings import Findings
from harness.check.firmware_map import check_firmware_map
from harness.check.frames import check_frame_table
from harness.check.free_lists import check_free_lists
from harness.check.header_chains import check_header_chains
from harness.check.heap_bytes import check_heap_bytes
from harness.check.heaps import check_heaps
from harness.check.held import check_held
from harness.check.in_charge import check_in_charge
from harness.check.large_blocks import check_large_blocks
from harness.check.ledger import Ledger, build_ledger, check_ledger
from harness.check.model import READY, Model
from harness.check.paging import check_paging
from harness.check.pair_maps import check_pair_maps
from harness.check.places import physical_at, with_places
from harness.check.runs import FRAME_SIZE
from harness.check.slabs import check_slabs
from harness.check.spaces import check_spaces
from harness.check.subblocks import check_subblock_heaps
from harness.check.summary import Summary, summarise
from harness.check.violation import Violation
from harness.decode.belief.fault import DecodeFault
from harness.decode.state import MemoryState


def check(model: Model, state: MemoryState) -> tuple[Violation, ...]:
    """Return everything that is wrong with ``state`` on the machine that ``model`` describes."""
    return examine(model, state).violations


@dataclass(frozen=True)
class Examination:
    """What is wrong with a state, and what was found on the way."""

    violations: tuple[Violation, ...]
    summary: Summary
    ledger: Ledger


def examine(model: Model, state: MemoryState) -> Examination:
    """Return what is wrong, the figures, and who owns each frame.

    At moments before ``ready`` only the allocators that live then are checked: the other structures
    are still being built.
    """
    model = model.widened(_span(state))
    everything = Blocks.of(state.free_lists, model.frames)
    blocks = everything.where(everything.inside)
    ledger = build_ledger(model, state, blocks)
    violations = [*_check_faults(state), *check_in_charge(model, state)]
    violations += [*check_bitmaps(model, state), *check_bumps(model, state)]
    if state.moment == READY:
        violations += check_firmware_map(model, state)
        violations += check_ledger(model, state, ledger)
        violations += check_held(model, state)
        violations += check_frame_table(model, state, blocks, ledger)
        violations += check_free_lists(model, state, everything)
        violations += check_pair_maps(model, state)
        violations += check_paging(model, state, ledger)
        violations += check_heaps(state)
        violations += check_subblock_heaps(state)
        violations += check_header_chains(state)
        violations += check_spaces(state, ledger)
        violations += [*check_slabs(state), *check_large_blocks(state), *check_heap_bytes(state)]
    found = with_places(causes_first(violations), state)
    return Examination(found, summarise(model, ledger, blocks), ledger)


def _span(state: MemoryState) -> int:
    table = state.frame_table
    ends = [bitmap.first_frame + len(bitmap.taken) for bitmap in state.bitmaps]
    ends += [one.end // FRAME_SIZE for bump in state.bumps for one in bump.ranges]
    return max([0, *ends, table.first_frame + len(table) if table else 0])


def _check_faults(state: MemoryState) -> tuple[Violation, ...]:
    """Guest memory that is not what the description says it is breaks V5 by itself."""
    findings = Findings("decode")
    for fault in every_fault(state):
        chain = " -> ".join(f"0x{address:x}" for address in fault.chain)
        way = f" (by way of {'physical ' if fault.physical else ''}{chain})" if chain else ""
        message = f"{fault.structure}: {fault.message}{way}"
        culprit = fault.chain[-1] if fault.chain else None
        word = fault.at
        if word is not None and not fault.physical:
            word = physical_at(state.page_tables, word)
        findings.add(_kind(fault), message, ("V5",), culprit, fault.physical, word)
    return findings.result()


def _kind(fault: DecodeFault) -> str:
    """Return the structure's name without the part of it: "buddy, zone 1, order 3" is "buddy"."""
    return fault.structure.partition(",")[0].replace(" ", "-")
