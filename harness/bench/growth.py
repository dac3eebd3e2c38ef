"""How much dearer an operation becomes as memory grows from 16 MiB to 4 GiB."""

from __future__ import annotations

from dataclasses import replace

from harness.bench.machines import without_gap
from harness.bench.measurement import Measurement
from harness.image.kernel_image import KernelImage
from harness.image.schema.running import Preset
from harness.machine.pool import Pool
from harness.workload.curve import GROWS, SIZES, Point, growth
from harness.workload.curve import measure_point as measure_one


def measure(kernel: KernelImage) -> list[Measurement]:
    """Take the worst growth of any operation in the presets that do not search through memory."""
    with Pool() as pool:
        points = {
            preset.name: _points(kernel, preset, pool)
            for preset in kernel.description.presets
            if not preset.searches
        }
    details = {
        f"{name}_{kind.name.lower()}": growth(found, kind)
        for name, found in points.items()
        for kind in found[0].costs
    }
    worst = max(details.values(), default=0.0)
    return [Measurement("cost_growth", worst, "times", GROWS, at_least=False, details=details)]


def _points(kernel: KernelImage, preset: Preset, pool: Pool) -> list[Point]:
    machines = (without_gap(kernel, size) for size in (SIZES[0], SIZES[-1]))
    return [measure_one(replace(spec, append=preset.append), pool) for spec in machines]
