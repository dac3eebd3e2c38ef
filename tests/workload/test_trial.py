"""Trials: a workload's course on a machine, against what is known beforehand."""

from __future__ import annotations

import numpy as np
import pytest

from harness.image.kernel_image import KernelImage
from harness.machine.pool import Pool
from harness.machine.spec import MachineSpec
from harness.maps.notation import parse_compact
from harness.workload.curve import Point, growth, measure_point
from harness.workload.footprint import Footprint
from harness.workload.operation import RESULT, Kind, Results, operation, operations
from harness.workload.tape import OPERATIONS, TapeError
from harness.workload.trial import Cost, asked_bytes, costs, run_trial, with_tape
from harness.workload.workload import Recorder, Workload
from tests.kernel.planted import SourceCopy

MIB = 1 << 20
PAGE = 4096
USED = (Kind.FRAMES_ALLOC, Kind.FRAMES_FREE, Kind.HEAP_ALLOC, Kind.HEAP_FREE)


def work(count: int) -> Workload:
    """Take ``count`` runs of 3 frames and as many blocks of 100 bytes, then free all."""
    recorder = Recorder()
    slots = []
    for _ in range(count):
        slots.append(recorder.alloc(Kind.FRAMES_ALLOC, 3))
        slots.append(recorder.alloc(Kind.HEAP_ALLOC, 100))
    for slot in slots:
        recorder.free(slot)
    return Workload("work", recorder.finished())


STEPS = operations(
    [
        operation(Kind.FRAMES_ALLOC, 0, 2),
        operation(Kind.HEAP_ALLOC, 1, 100),
        operation(Kind.FRAMES_FREE, 0, 2),
        operation(Kind.HEAP_FREE, 1, 100),
    ]
)


def answers(*values: int) -> Results:
    """Return results with these values, in 50 ticks each."""
    results = np.zeros(len(values), dtype=RESULT)
    results["value"], results["ticks"] = values, 50
    return results


def test_asked_bytes_counts_frames_and_bytes() -> None:
    all_given = answers(0x100000, 0xD0000000, 0, 0)
    asked = [asked_bytes(STEPS[:done], all_given[:done]) for done in range(5)]
    assert asked == [0, 2 * PAGE, 2 * PAGE + 100, 100, 0]


def test_what_was_not_given_is_not_asked_for_any_more() -> None:
    no_frames = answers(0, 0xD0000000, 0, 0)
    asked = [asked_bytes(STEPS[:done], no_frames[:done]) for done in range(5)]
    assert asked == [0, 0, 100, 100, 0]
    counts = {kind: cost.count for kind, cost in costs(STEPS, no_frames).items()}
    assert counts == {Kind.FRAMES_ALLOC: 1, Kind.HEAP_ALLOC: 1, Kind.HEAP_FREE: 1}


def test_a_slot_that_is_used_again_is_as_its_last_allocation() -> None:
    twice = operations([operation(kind, 3, 10) for kind in (Kind.HEAP_ALLOC, Kind.HEAP_FREE)] * 2)
    assert asked_bytes(twice[:3], answers(0, 0, 0x1000)) == 10
    assert costs(twice, answers(0x1000, 0, 0, 0))[Kind.HEAP_FREE].count == 1


def test_a_trial_of_the_default_design(kernel: KernelImage, pool: Pool) -> None:
    trial = run_trial(MachineSpec(kernel, 16 * MIB), work(50), pool, samples=4)
    assert trial.good
    assert trial.failures == 0
    assert {kind: cost.count for kind, cost in trial.costs.items()} == dict.fromkeys(USED, 50)
    assert [sample.done for sample in trial.samples] == [0, 50, 100, 150, 200]
    first, middle, last = (trial.samples[index] for index in (0, 2, 4))
    # A run of 3 frames takes a block of 4; 100 bytes and their header take a frame.
    assert middle.asked == 50 * (3 * PAGE + 100)
    assert middle.memory.given - first.memory.given == 50 * (4 + 1) * PAGE
    assert (first.asked, last.asked, first.memory.given, last.memory.given) == (0, 0, 0, 0)
    assert middle.memory.free <= first.memory.free - 50 * 5 * PAGE
    # What the manager keeps of its own afterwards is a page of area records or two.
    assert 0 <= first.memory.free - last.memory.free <= 4 * PAGE


def test_shares_tell_where_memory_is_taken(kernel: KernelImage, pool: Pool) -> None:
    recorder = Recorder()
    for _ in range(3):
        recorder.alloc(Kind.FRAMES_ALLOC, 1024)
    trial = run_trial(MachineSpec(kernel, 64 * MIB), Workload("w", recorder.finished()), pool, 1)
    before, after = trial.samples[0], trial.samples[-1]
    taken = float((after.shares - before.shares).sum()) / len(before.shares)
    assert taken * before.memory.usable == pytest.approx(12 * MIB, rel=0.01)
    assert np.all((after.shares >= 0) & (after.shares <= 1))


def test_allocations_that_fail_are_counted(kernel: KernelImage, pool: Pool) -> None:
    recorder = Recorder()
    for _ in range(8):
        recorder.alloc(Kind.FRAMES_ALLOC, 1024)
    trial = run_trial(MachineSpec(kernel, 16 * MIB), Workload("w", recorder.finished()), pool, 1)
    last = trial.samples[-1]
    assert last.memory.internal_fragmentation(last.asked) == 0, "what failed is not asked for"
    given = last.memory.given // (4 * MIB)
    assert trial.failures == 8 - given
    assert 1 <= given < 4


def test_a_guest_that_dies_is_told_of(kernel: KernelImage, pool: Pool) -> None:
    steps = [
        operation(Kind.FRAMES_ALLOC, 0, 4),
        operation(Kind.FRAMES_ALLOC, 1, 4),
        operation(Kind.FRAMES_FREE, 0, 1),
    ]
    spec = MachineSpec(kernel, 16 * MIB)
    trial = run_trial(spec, Workload("wrong", operations(steps)), pool, 1)
    assert not trial.good
    assert trial.ended is not None
    assert "operation 2" in trial.ended
    assert "order" in trial.ended
    assert trial.costs[Kind.FRAMES_ALLOC].count == 2


@pytest.fixture
def leaky(source_copy: SourceCopy) -> KernelImage:
    """A kernel whose buddy forgets the upper half of every block that it splits."""
    right = "push_free_block(zone, page + (1u << found), found);"
    return source_copy.plant("mm/frames/buddy.c", right, "(void)push_free_block;")


def test_what_is_wrong_with_memory_is_found(leaky: KernelImage, pool: Pool) -> None:
    trial = run_trial(MachineSpec(leaky, 64 * MIB), work(4), pool, 2)
    assert not trial.good
    assert {one.kind for one in trial.violations} >= {"frames.leaked"}


def test_a_cpu_without_a_counter_has_no_costs(kernel: KernelImage, pool: Pool) -> None:
    spec = MachineSpec(kernel, 16 * MIB, cpu="486")
    trial = run_trial(spec, work(4), pool, 1)
    assert (trial.good, trial.costs) == (True, {})
    with pytest.raises(TapeError, match="486 has no time stamp counter"):
        measure_point(spec, pool)


def test_a_long_workload_does_not_fill_the_machine_with_its_tape(kernel: KernelImage) -> None:
    spec = MachineSpec(kernel, 16 * MIB)
    sizes = [len(with_tape(spec, n, 1).modules[0].data) for n in (OPERATIONS, 1 << 25)]
    assert sizes[0] == sizes[1]


def test_a_machine_that_refuses_begins_no_workload(kernel: KernelImage, pool: Pool) -> None:
    nothing = parse_compact("0-9fc00 reserved, 100000-1000000 reserved", "map")[0]
    trial = run_trial(MachineSpec(kernel, 16 * MIB, map=nothing), work(4), pool, 2)
    assert trial.ended is not None
    assert "no workload was begun" in trial.ended
    assert trial.samples == ()


def test_fragmentation_by_hand() -> None:
    memory = Footprint(usable=100, free=40, given=50, overhead=10, largest_run=30, largest_block=16)
    assert memory.external_fragmentation == pytest.approx(0.25)
    assert memory.internal_fragmentation(asked=40) == pytest.approx(0.2)
    full = Footprint(usable=100, free=0, given=0, overhead=0, largest_run=0, largest_block=0)
    assert (full.external_fragmentation, full.internal_fragmentation(0)) == (0.0, 0.0)


def test_growth_compares_the_largest_memory_with_the_smallest() -> None:
    costs = [
        Point(size, {Kind.FRAMES_ALLOC: Cost(1, 1.0, 1.0, worst)})
        for size, worst in ((64, 500), (16, 100), (256, 300))
    ]
    assert growth(costs, Kind.FRAMES_ALLOC) == 3.0
    assert growth(costs, Kind.HEAP_ALLOC) == 0.0


def test_a_buddy_does_not_care_how_large_memory_is(kernel: KernelImage, pool: Pool) -> None:
    points = [measure_point(MachineSpec(kernel, size * MIB), pool) for size in (16, 1024)]
    for kind in (Kind.FRAMES_ALLOC, Kind.FRAMES_FREE):
        assert all(point.costs[kind].count == 512 for point in points)
        assert growth(points, kind) < 1.5


def test_a_first_fit_searches_through_what_is_taken(kernel: KernelImage, pool: Pool) -> None:
    points = [
        measure_point(MachineSpec(kernel, size * MIB, append="frames=bitmap"), pool)
        for size in (16, 1024)
    ]
    assert growth(points, Kind.FRAMES_ALLOC) > 10
