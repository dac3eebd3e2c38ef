"""What a kernel's initialisation costs, in guest instructions."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from harness.bench.machines import MIB, without_gap
from harness.bench.measurement import Measurement
from harness.image.kernel_image import KernelImage
from harness.machine.machine import Machine
from harness.machine.spec import Fill, FillKind

MEMORIES = tuple(size * MIB for size in (16, 64, 256, 512, 1024, 2048, 3072, 4096))
_FRAME = 4096
_LINEAR = 0.999


def measure(kernel: KernelImage) -> list[Measurement]:
    """Boot machines of growing memory that count instructions, and fit a line through the counts.

    The kernel says itself how many ticks of its time stamp counter it took; with ``-icount`` one
    tick is one instruction. Frames are those of RAM below 4 GiB.
    """
    pattern = kernel.description.console.ready
    assert pattern is not None
    points = [_point(kernel, memory, pattern) for memory in MEMORIES]
    frames, ticks = np.array(points, dtype=float).T
    slope, constant = np.polyfit(frames, ticks, 1)
    residual = ticks - (slope * frames + constant)
    linearity = 1 - float((residual**2).sum() / ((ticks - ticks.mean()) ** 2).sum())
    details: dict[str, float] = {
        f"{memory // MIB}M": count for memory, (_, count) in zip(MEMORIES, points, strict=True)
    }
    return [
        Measurement(
            "init_instructions_per_frame", float(slope), "instructions", None, False, details
        ),
        Measurement(
            "init_linearity", linearity, "R²", _LINEAR, True, {"constant": float(constant)}
        ),
    ]


def _point(kernel: KernelImage, memory: int, ready: re.Pattern[str]) -> tuple[int, int]:
    """Return frames of RAM below 4 GiB and instructions until ready."""
    spec = replace(without_gap(kernel, memory), icount=True, fill=Fill(FillKind.ZERO))
    with Machine(spec) as machine:
        guest = machine.boot()
        line = guest.wait_for_line(ready.pattern, timeout=60)
        frames = sum(len(ram) for ram in guest.ram.ranges if ram.start < 1 << 32) // _FRAME
    found = ready.search(line)
    assert found is not None
    return frames, int(found["ticks"])
