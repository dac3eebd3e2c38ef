"""Each promise of an allocator, broken once."""

from __future__ import annotations

import numpy as np
import pytest

from harness.check.findings import Findings
from harness.check.model import Model
from harness.check.violation import Violation
from harness.image.kernel_image import KernelImage
from harness.maps.memory_map import MemoryMap
from harness.maps.notation import parse_compact
from harness.workload.blocks import blocks_of
from harness.workload.contract import check_blocks
from harness.workload.operation import RESULT, Flag, Kind, operation, operations

PAGE = 4096
MIB = 1 << 20
FRAMES, FREE = Kind.FRAMES_ALLOC, Kind.FRAMES_FREE
HEAP = Kind.HEAP_ALLOC
SLAB = Kind.SLAB_ALLOC

Given = tuple[tuple[int, int, int, int, int], int]
"""An operation and its result."""


@pytest.fixture(scope="session")
def model(kernel: KernelImage) -> Model:
    """1 GiB of RAM, with a hole of one page at 8 MiB."""
    parsed: MemoryMap = parse_compact("0-9fc00 usable, 7M@1M usable, 801000-40000000 usable", "")[0]
    return Model.of(kernel, parsed, (range(1 << 30),))


def found(model: Model, *given: Given) -> list[str]:
    return [violation.kind for violation in violations(model, *given)]


def violations(model: Model, *given: Given) -> tuple[Violation, ...]:
    tape = operations(item for item, _ in given)
    results = np.zeros(len(given), dtype=RESULT)
    results["value"] = [value for _, value in given]
    findings = Findings("tape")
    check_blocks(findings, model, tape, blocks_of(tape, results))
    return findings.result()


def test_good_blocks_are_good(model: Model) -> None:
    assert (
        found(
            model,
            (operation(FRAMES, 0, 4), 0x700000),
            (operation(FRAMES, 1, 1, Flag.DMA), 0x704000),
            (operation(FRAMES, 2, 1024, Flag.HIGH), 1020 * MIB),
            (operation(HEAP, 3, 100), 0xF8400008),
            (operation(FREE, 0, 4), 0),
            (operation(FRAMES, 0, 4), 0x700000),
            (operation(FRAMES, 4, 9999), 0),
            (operation(SLAB, 5, 20), 0xC0100004),
            (operation(Kind.USER_HEAP_ALLOC, 6, 9), 0x10C0),
            (operation(Kind.USER_ALLOC, 7, 3), 0x1000),
            (operation(Kind.SPACE_CREATE, 8), 1),
            (operation(Kind.USER_ALLOC, 9, 3), 0x1000),
        )
        == []
    )


@pytest.mark.parametrize(
    ("item", "value", "kind"),
    [
        (operation(FRAMES, 0, 1), 0x700800, "tape.alignment"),
        (operation(HEAP, 0, 1), 0xF8400006, "tape.alignment"),
        (operation(HEAP, 0, 1), 0xF8400002, "tape.alignment"),
        (operation(SLAB, 0, 20), 0xC0100002, "tape.alignment"),
        (operation(Kind.USER_HEAP_ALLOC, 0, 9), 0x10C4, "tape.alignment"),
        (operation(SLAB, 0, 20), 0xFFFFFFF0, "tape.outside"),
        (operation(FRAMES, 0, 1), 0x800000, "tape.outside"),
        (operation(FRAMES, 0, 2), 0x7FF000, "tape.outside"),
        (operation(FRAMES, 0, 1), 0x100000, "tape.outside"),
        (operation(FRAMES, 0, 1, Flag.HIGH), 0x40000000, "tape.outside"),
        (operation(FRAMES, 0, 2, Flag.HIGH), 0x3FFFF000, "tape.outside"),
        (operation(FRAMES, 0, 0xFFFFFFFF, Flag.HIGH), 0x700000, "tape.outside"),
        (operation(HEAP, 0, 9), 0xFFFFFFF8, "tape.outside"),
        (operation(FRAMES, 0, 1, Flag.DMA), 16 * MIB, "tape.zone"),
        (operation(FRAMES, 0, 2, Flag.DMA), 16 * MIB - PAGE, "tape.zone"),
        (operation(FRAMES, 0, 1, Flag.DMA | Flag.HIGH), 16 * MIB, "tape.zone"),
        (operation(FRAMES, 0, 1), 896 * MIB, "tape.zone"),
        (operation(FRAMES, 0, 1, Flag.HIGH | Flag.NORMAL), 896 * MIB, "tape.zone"),
    ],
)
def test_a_block_that_must_not_be(model: Model, item: Given, value: int, kind: str) -> None:
    assert found(model, (item, value)) == [kind]


def test_overlapping_blocks_name_both(model: Model) -> None:
    pairs = (
        (operation(FRAMES, 0, 4), 0x700000),
        (operation(HEAP, 1, 16), 0xF8400008),
        (operation(FRAMES, 2, 1), 0x703000),
        (operation(HEAP, 3, 1), 0xF8400010),
    )
    first, second = violations(model, *pairs)
    assert first.kind == second.kind == "tape.overlap"
    assert first.message == (
        "operation 2, frames_alloc(size=1, slot=2), was given 0x703000, over the block that "
        "operation 0 was given at 0x700000"
    )
    assert (second.address, second.physical) == (0xF8400010, False)


@pytest.mark.parametrize("kinds", [(SLAB, SLAB), (HEAP, SLAB), (SLAB, HEAP)])
def test_objects_and_blocks_overlap_as_well(model: Model, kinds: tuple[Kind, Kind]) -> None:
    first = operation(kinds[0], 0, 24), 0xC0100000
    second = operation(kinds[1], 1, 8), 0xC0100010
    [violation] = violations(model, first, second)
    assert violation.kind == "tape.overlap"
    assert "operation 1" in violation.message
