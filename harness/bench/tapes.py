"""How long a tape of a million operations takes, and what allocating and freeing a frame costs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from harness.bench.machines import MIB, without_gap
from harness.bench.measurement import Measurement, seconds_of
from harness.image.kernel_image import KernelImage
from harness.machine.ending import EndingKind
from harness.machine.errors import MachineError
from harness.machine.guest import Guest
from harness.machine.machine import Machine
from harness.machine.spec import MachineSpec
from harness.workload.generate import power_law_frames
from harness.workload.operation import Flag, Kind, Operations, Results, operation, operations
from harness.workload.tape import Tape, tape_module
from harness.workload.verify import TapeVerdict, verify_tape

MEMORY = 512 * MIB
MILLION = 1_000_000
SECONDS = 20.0
FILLED = 64
"""One block of so many is filled, and looked at before it is freed."""
INSTRUCTIONS = 150.0
_SLOTS = 4096
_SINGLE = 1 << 16
_WARM_UP = 1 << 14
"""Operations on single frames, and how many come before the first that counts."""


def measure(kernel: KernelImage) -> list[Measurement]:
    """Run and verify a million operations; then live a random life of single frames.

    The machine counts instructions. The million are allocations of 1 to 256 frames, of sizes by
    a power law, and their frees; the time is from the state before to the last check.
    """
    with Machine(_counting(kernel)) as machine:
        million = _million(machine)
        alloc, free = _costs(machine)
    return [
        million,
        _cost("buddy_alloc_instructions", alloc),
        _cost("buddy_free_instructions", free),
    ]


def _counting(kernel: KernelImage) -> MachineSpec:
    machine = without_gap(kernel, MEMORY)
    return replace(machine, icount=True, modules=(tape_module(kernel),))


def _ready(machine: Machine) -> Guest:
    guest = machine.boot()
    ending = guest.run_until_ready()
    if ending.kind is not EndingKind.READY:
        raise MachineError(f"the machine to measure did not get ready: {ending}")
    return guest


def _million(machine: Machine) -> Measurement:
    tape, verdicts = _million_operations(), list[TapeVerdict]()
    with _ready(machine) as guest:
        seconds = seconds_of(lambda: verdicts.append(verify_tape(guest, tape)))
    verdict = verdicts[0]
    if verdict.violations:
        raise MachineError(f"the tape to measure went wrong: {verdict.violations[0].message}")
    details = {
        "operations": len(tape),
        "blocks": len(verdict.blocks),
        "followed by a policy": verdict.followed,
        "instructions": float(verdict.results["ticks"].sum(dtype=np.int64)),
    }
    return Measurement("tape_million_seconds", seconds, "s", SECONDS, False, details)


def _million_operations() -> Operations:
    made = power_law_frames(MILLION // 2).operations
    made["flags"] |= np.where(made["slot"] % FILLED == 0, Flag.FILL | Flag.CHECK, 0).astype("u1")
    return made


def _costs(machine: Machine) -> tuple[Results, Results]:
    """Return what single frames cost, to allocate and to free, once about half of them live."""
    tape = operations(_single_frames())
    with _ready(machine) as guest:
        results = Tape(guest).run(tape)[_WARM_UP:]
    allocations = tape["kind"][_WARM_UP:] == Kind.FRAMES_ALLOC
    return results[allocations], results[~allocations]


def _single_frames() -> Iterator[tuple[int, int, int, int, int]]:
    """Yield random operations: a frame for an empty slot, and the free of one that is not."""
    live: set[int] = set()
    slots = np.random.Generator(np.random.PCG64(0)).integers(0, _SLOTS, _SINGLE).tolist()
    for slot in slots:
        yield operation(Kind.FRAMES_FREE if slot in live else Kind.FRAMES_ALLOC, slot, 1)
        live ^= {slot}


def _cost(name: str, results: Results) -> Measurement:
    ticks = results["ticks"]
    details = {
        "p99": float(np.percentile(ticks, 99)),
        "worst": float(ticks.max()),
        "operations": float(len(ticks)),
    }
    median = float(np.median(ticks))
    return Measurement(name, median, "instructions", INSTRUCTIONS, False, details)
