"""How many machines are judged in a second."""

from __future__ import annotations

import statistics

from harness.bench.measurement import Measurement, seconds_of
from harness.check.verify import verify
from harness.image.kernel_image import KernelImage
from harness.machine.pool import Pool
from harness.machine.spec import MachineSpec

MEMORY = 64 << 20
_VERDICTS = 300
_WARM_UP = 5


def measure(kernel: KernelImage) -> list[Measurement]:
    """Boot, decode everything and check everything, again and again, on one warm machine."""
    spec = MachineSpec(kernel, MEMORY)
    with Pool() as pool:

        def judge() -> None:
            verdict = verify(spec, pool)
            if verdict.verdict != "good":
                raise RuntimeError(f"the machine to measure is not good: {verdict.violations[:1]}")

        for _ in range(_WARM_UP):
            judge()
        seconds = [seconds_of(judge) for _ in range(_VERDICTS)]
    details = {
        "median ms": statistics.median(seconds) * 1000,
        "slowest ms": max(seconds) * 1000,
    }
    rate = len(seconds) / sum(seconds)
    return [Measurement("verdicts_per_second", rate, "1/s", 100, True, details)]
