"""What coverage is worth: the same campaigns with it and without.

``python -m tests.fuzz.compare_coverage`` prints the tables of docs/fuzzing.md, in ten minutes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median
from unittest import mock

import click

from harness.cover.blocks import Blocks
from harness.fuzz.attempt import Attempt, attempt
from harness.fuzz.campaign import Plan, run_campaign
from harness.fuzz.corpus import Corpus, plain_seeds, seeds
from harness.fuzz.finding import known_groups
from harness.fuzz.store import Kept, open_store
from harness.fuzz.subject import Source, Subject
from harness.image.kernel_image import KernelImage
from harness.machine.pool import Pool
from tests.fuzz.plants import Plant, plants
from tests.kernel.planted import SourceCopy

MEMORY = 64 << 20
WAYS = (Source.NONE, Source.QEMU, Source.COMPILER)
Kernels = Mapping[Source, KernelImage]
_NOTHING = ("main.c", "mm_init();", "mm_init();")


DEEP = (
    "one-page-left-of-a-cut",
    "class-one-byte-too-small",
    "tail-of-a-free-list-lost",
    "free-run-counted-to-the-right",
    "malloc-size-wraps",
)
"""Bugs that take more than the first hundred cases."""


def built(top: Path, plant: Plant | None = None) -> Kernels:
    """Return the kernel with a bug or without, as it is and built to tell its edges."""
    file, right, wrong = (plant.file, plant.right, plant.wrong) if plant else _NOTHING
    plain, telling = (
        SourceCopy(top / "source", top, variables=variables).plant(file, right, wrong)
        for variables in ({}, {"COVERAGE": "1"})
    )
    return {Source.NONE: plain, Source.QEMU: plain, Source.COMPILER: telling}


def plan(kernels: Kernels, way: Source, seed: int) -> Plan:
    """Return a campaign of one process."""
    return Plan(Subject(kernels[way], way), MEMORY, seed)


def search(one: Plan, folder: Path) -> str:
    """Return how many cases and seconds a campaign took to its first finding."""
    with open_store(folder) as store, closing(run_campaign(one, store)) as states:
        for progress in states:
            if known_groups(store.findings):
                return f"{progress.counts.cases} in {progress.seconds:.0f} s"
    return f"> {progress.counts.cases}"


def found(kernels: Kernels, bug: Plant, campaigns: int, seconds: float) -> str:
    """Return a row: what became of the same campaigns each way."""
    cells = [bug.defect]
    for way in WAYS:
        outcomes = []
        for seed in range(campaigns):
            with tempfile.TemporaryDirectory() as folder:
                one = replace(plan(kernels, way, seed), most_seconds=seconds)
                outcomes.append(search(one, Path(folder)))
        cells.append("; ".join(outcomes))
    return f"| {' | '.join(cells)} |"


@contextmanager
def by_features_alone(seen: set[int]) -> Iterator[None]:
    """Have campaigns keep cases for features alone, and note in ``seen`` what edges there were."""
    consider = Corpus.consider

    def blind(corpus: Corpus, attempted: Attempt) -> Kept | None:
        seen.update(attempted.edges)
        return consider(corpus, replace(attempted, edges=frozenset()))

    with mock.patch.object(Corpus, "consider", blind):
        yield


def reached(kernels: Kernels, cases: int, guided: bool) -> str:
    """Return a row: what so many cases of the sound kernel reach."""
    seen: set[int] = set()
    one = replace(plan(kernels, Source.COMPILER, 0), most_cases=cases)
    with tempfile.TemporaryDirectory() as name, open_store(Path(name)) as store:
        if guided:
            *_, last = run_campaign(one, store)
        else:
            with by_features_alone(seen):
                *_, last = run_campaign(one, store)
    edges = last.edges if guided else len(seen)
    name = "edges and features" if guided else "features alone"
    return f"| {name} | {edges} | {last.features} | {last.kept} |"


@contextmanager
def observed(kernel: KernelImage, way: Source) -> Iterator[Pool]:
    """Give a pool whose guests tell their edges this way."""
    with Blocks(kernel) as blocks, Pool() as pool:
        if way is Source.QEMU:
            pool.observer = blocks
        yield pool


def cost(kernels: Kernels, way: Source, boots: int) -> str:
    """Return a row: the median of QEMU's CPU time for a boot, which others' work moves least."""
    kernel, taken = kernels[way], []
    with observed(kernel, way) as pool:
        for case in seeds(kernel, MEMORY)[:boots]:
            with pool.boot(case.spec(kernel)) as guest:
                before = guest._vm.process.cpu_seconds()
                guest.run_until_ready()
                taken.append(guest._vm.process.cpu_seconds() - before)
    return f"| {way.value} | {median(taken) * 1000:.2f} ms |"


def stability(kernels: Kernels, way: Source, boots: int) -> str:
    """Return a row: how many edges of ten cases not all boots of the case show."""
    kernel, known, unsteady = kernels[way], 0, 0
    with observed(kernel, way) as pool:
        for case in plain_seeds(kernel, MEMORY)[4:14]:  # some with operations, some without
            shown = [attempt(case, kernel, pool).edges for _ in range(boots)]
            known += len(frozenset.union(*shown))
            unsteady += len(frozenset.union(*shown) - frozenset.intersection(*shown))
    return f"| {way.value} | {known} | {unsteady} |"


@click.command()
@click.option("--campaigns", default=1, show_default=True, help="For each bug and way.")
@click.option("--seconds", default=30.0, show_default=True, help="After which one gives up.")
@click.option("--cases", default=600, show_default=True, help="Of the campaign without a bug.")
def main(campaigns: int, seconds: float, cases: int) -> None:
    """Compare campaigns by features alone with those that have edges too."""
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        right = built(top)
        print("| cases are kept for | edges | features | kept |\n| --- | --: | --: | --: |")
        for guided in (False, True):
            print(reached(right, cases, guided), flush=True)
        print("\n| edges from | QEMU's time for a boot |\n| --- | --: |")
        for way in WAYS:
            print(cost(right, way, 100), flush=True)
        print("\n| edges from | sum of ten cases | not in each of 20 boots |\n| --- | --: | --: |")
        for way in WAYS[1:]:
            print(stability(right, way, 20), flush=True)
        print(f"\n| bug | {' | '.join(way.value for way in WAYS)} |\n| --- | --: | --: | --: |")
        for bug in plants():
            if bug.name in DEEP:
                print(found(built(top, bug), bug, campaigns, seconds), flush=True)


if __name__ == "__main__":
    main()
