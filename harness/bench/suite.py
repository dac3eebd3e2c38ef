"""Every figure of ``harness bench``, by name."""

from __future__ import annotations

from collections.abc import Callable

from harness.bench import (
    blame,
    boots,
    cluster,
    decoding,
    endurance,
    fuzzing,
    growth,
    initialisation,
    round_trips,
    tapes,
    verdicts,
)
from harness.bench.measurement import Measurement
from harness.fuzz.cluster_error import has_cluster
from harness.image.kernel_image import KernelImage

BENCHES: dict[str, Callable[[KernelImage], list[Measurement]]] = {
    "reset_speedup_vs_multiboot": boots.measure,
    "reset_speedup_vs_iso": boots.measure,
    "verdicts_per_second": verdicts.measure,
    "decode_4g_ms": decoding.measure,
    "decode_speedup_vs_gdb": decoding.measure,
    "gdb_roundtrip_ms": round_trips.measure,
    "init_instructions_per_frame": initialisation.measure,
    "init_linearity": initialisation.measure,
    "tape_million_seconds": tapes.measure,
    "buddy_alloc_instructions": tapes.measure,
    "buddy_free_instructions": tapes.measure,
    "cost_growth": growth.measure,
    "blame_seconds": blame.measure,
    "fuzz_cases_per_second": fuzzing.measure_rate,
    "fuzz_two_worker_efficiency": fuzzing.measure_efficiency,
    "fuzz_speedup_vs_multiboot": fuzzing.measure_speedup,
}
"""Name → what measures it; one that measures several figures stands under each."""

LONG: dict[str, Callable[[KernelImage], list[Measurement]]] = dict.fromkeys(
    endurance.FIGURES, endurance.measure
)
"""What takes half an hour, and is only measured when it is named."""

if has_cluster():
    BENCHES |= dict.fromkeys(cluster.FIGURES, cluster.measure)
