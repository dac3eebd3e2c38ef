"""Blocks that have whole pages to themselves: headers, pages and counters."""

from __future__ import annotations

import numpy as np

from harness.check.findings import Findings
from harness.check.runs import FRAME_SIZE, counted
from harness.check.violation import Violation
from harness.decode.belief.heaps import LargeBlock, LargeBlocks
from harness.decode.state import MemoryState


def check_large_blocks(state: MemoryState) -> tuple[Violation, ...]:
    """Report headers that do not fit their blocks, missing pages and wrong counters."""
    findings = Findings("large-block")
    for blocks in state.large_blocks:
        for block in blocks.blocks:
            _check_header(findings, blocks, block)
            _check_frames(findings, blocks, block)
        _check_counters(findings, blocks)
    return findings.result()


def _named(blocks: LargeBlocks, block: LargeBlock) -> str:
    return f"the header at virtual 0x{block.header:x} of {blocks.name}"


def _check_header(findings: Findings, blocks: LargeBlocks, block: LargeBlock) -> None:
    if block.header % FRAME_SIZE:
        message = f"{_named(blocks, block)} is not at the start of a page"
        findings.add("alignment", message, ("V5", "V11"), block.header, physical=False)
    if not block.header_good:
        message = f"{_named(blocks, block)} is overwritten, or belongs elsewhere"
        findings.add("header", message, ("V5", "V9"), block.header, physical=False)
        return
    needed = -(-(block.size + blocks.header_size) // FRAME_SIZE)
    if block.size <= 0 or needed > block.pages:
        message = (
            f"{_named(blocks, block)} says {counted(block.size, 'byte')} in "
            f"{counted(block.pages, 'page')}; with the header they need {needed}"
        )
        findings.add("size", message, ("V5", "V9"), block.header, physical=False)


def _check_frames(findings: Findings, blocks: LargeBlocks, block: LargeBlock) -> None:
    """The pages must be mapped, and contiguous in physical memory too."""
    steps = np.diff(block.frames)
    if (block.frames < 0).any() or (steps != 1).any():
        message = f"the {counted(block.pages, 'page')} behind {_named(blocks, block)} are no run"
        findings.add("frames", message, ("V7", "V11"), block.header, physical=False)


def _check_counters(findings: Findings, blocks: LargeBlocks) -> None:
    counters = (
        ("blocks", blocks.count, len(blocks.blocks)),
        ("bytes", blocks.bytes, sum(block.size for block in blocks.blocks)),
        ("frames", blocks.frames, sum(block.pages for block in blocks.blocks)),
    )
    for name, count, right in counters:
        if count is not None and count != right:
            message = f"{blocks.name} counts {count} {name} of large blocks, but it has {right}"
            findings.add("counter", message, ("V6",))
