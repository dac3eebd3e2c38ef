"""How many cases of a campaign are judged in a second."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import time
from collections.abc import Callable
from dataclasses import replace
from random import Random

from harness.bench.measurement import CORES, Measurement, medians_side_by_side
from harness.fuzz.attempt import attempt
from harness.fuzz.borders import borders
from harness.fuzz.case import Case
from harness.fuzz.corpus import CPUS, Corpus, command_lines, map_seeds, seeds
from harness.fuzz.mutator import mutate
from harness.fuzz.surroundings import Surroundings
from harness.image.kernel_image import KernelImage
from harness.machine.pool import Pool
from harness.machine.spec import BootPath, Fill, FillKind
from harness.machine.workers import WorkerLost, work_through

MEMORY = 64 << 20
_CASES = 600
_SHARED = 300
"""Cases for each worker, when there are two."""
_MAPS = 12
_ROUNDS = 3


def _cases(kernel: KernelImage, count: int) -> list[Case]:
    """Return cases as a campaign makes them from its seeds; the same ones each time."""
    corpus, random = Corpus(seeds(kernel, MEMORY)), Random(0)  # noqa: S311 - no secret
    around = Surroundings(
        borders=borders(kernel, MEMORY),
        memories=(MEMORY,),
        words=command_lines(kernel),
        cpus=CPUS,
        others=corpus.cases,
    )
    plain = (replace(corpus.choose(random), steps=()) for _ in itertools.count())
    return [mutate(case, around, random) for case in itertools.islice(plain, count)]


def measure_rate(kernel: KernelImage) -> list[Measurement]:
    """Judge cases of a campaign without tapes, all with 64 MiB of RAM."""
    cases, words = _cases(kernel, _CASES), []
    with Pool() as pool:
        attempt(cases[0], kernel, pool)
        start = time.perf_counter()
        words = [attempt(case, kernel, pool).word for case in cases]
        seconds = time.perf_counter() - start
    kinds = {str(word or "impossible"): float(words.count(word)) for word in set(words)}
    return [Measurement("fuzz_cases_per_second", len(cases) / seconds, "1/s", 150, True, kinds)]


def measure_efficiency(kernel: KernelImage) -> list[Measurement]:
    """Compare two workers with one: each has a core of its own, which its QEMU shares."""
    cores = sorted(CORES)
    if len(cores) < 2:
        raise RuntimeError("two workers are compared on two cores, and there is one only")
    cases = _cases(kernel, _SHARED)
    one = medians_side_by_side(
        {
            "one worker": (_shared(cases, kernel, cores[:1]), 1),
            "two workers": (_shared(cases * 2, kernel, cores[:2]), 1),
        },
        _ROUNDS,
    )
    details = {f"{name} s": seconds for name, seconds in one.items()}
    efficiency = one["one worker"] / one["two workers"]
    return [Measurement("fuzz_two_worker_efficiency", efficiency, "", 0.9, True, details)]


def _shared(cases: list[Case], kernel: KernelImage, cores: list[int]) -> Callable[[], None]:
    """Return what has cases judged by a worker on each core."""

    free = multiprocessing.get_context("fork").SimpleQueue()

    core: list[int] = []

    def work(case: Case, pool: Pool) -> None:
        if not core:
            core.append(free.get())
            os.sched_setaffinity(0, core)
        attempt(case, kernel, pool)

    def run() -> None:
        left = iter(cases)
        for one in cores:
            free.put(one)
        for _, result in work_through(lambda: next(left, None), work, len(cores)):
            if isinstance(result, WorkerLost):
                raise result

    return run


def measure_speedup(kernel: KernelImage) -> list[Measurement]:
    """Judge the same maps on warm machines and by new processes with SeaBIOS."""
    zeroed = [replace(case, fill=Fill(FillKind.ZERO)) for case in map_seeds(kernel, MEMORY)[:_MAPS]]

    def judge(cases: list[Case], pool: Pool) -> None:
        for case in cases:
            if attempt(case, kernel, pool).word != "good":
                raise RuntimeError(f"a machine to measure is not good: {case.map}")

    with Pool() as pool:
        judge(zeroed[:1], pool)
        seconds = medians_side_by_side(
            {
                "direct": (lambda: judge(zeroed, pool), 5),
                "multiboot": (
                    lambda: judge([replace(c, boot=BootPath.MULTIBOOT) for c in zeroed], pool),
                    1,
                ),
            },
            _ROUNDS,
        )
    details = {f"{name} ms a case": value / _MAPS * 1000 for name, value in seconds.items()}
    speedup = seconds["multiboot"] / seconds["direct"]
    return [Measurement("fuzz_speedup_vs_multiboot", speedup, "x", 25, True, details)]
