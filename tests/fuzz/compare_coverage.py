"""What coverage is worth: the same campaigns with it and without.

``python -m tests.fuzz.compare_coverage`` prints the tables of docs/fuzzing.md, in half an hour.
"""

from __future__ import annotations

import shutil
import sys
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
from harness.fuzz.corpus import Corpus, seeds
from harness.fuzz.finding import known_groups
from harness.fuzz.steps import sound
from harness.fuzz.store import Kept, open_store
from harness.fuzz.subject import Source
from harness.image.build import build
from harness.image.description import load_description
from harness.image.elf import load_kernel
from harness.image.kernel_image import KernelImage
from harness.machine.pool import Pool
from harness.workload.operation import Kind, operation
from tests.fuzz.bugs import DEEP, Bug
from tests.kernel.planted import copy_tree

MEMORY = 64 << 20
WAYS = (Source.NONE, Source.QEMU, Source.COMPILER)
Kernels = Mapping[Source, KernelImage]


class Tree:
    """A copy of the kernel's source in which one bug after another is planted."""

    def __init__(self, top: Path) -> None:
        self._kernel = copy_tree(top)
        self._images = top / "images"
        self._images.mkdir()

    def built(self, name: str) -> Kernels:
        """Return the kernel as its source is now."""
        plain = self._build({}, f"{name}-plain")
        telling = self._build({"COVERAGE": "1"}, f"{name}-telling")
        return {Source.NONE: plain, Source.QEMU: plain, Source.COMPILER: telling}

    def planted(self, bug: Bug) -> Kernels:
        """Return the kernel with a bug."""
        path = self._kernel / bug.file
        text = path.read_text()
        assert text.count(bug.right) == 1, bug
        path.write_text(text.replace(bug.right, bug.wrong))
        try:
            return self.built(path.stem)
        finally:
            path.write_text(text)

    def _build(self, variables: Mapping[str, str], name: str) -> KernelImage:
        chosen = {**variables, "EXTRA_CFLAGS": "-Wno-error"}
        made = build(load_description(self._kernel / "harness.toml"), chosen, self._images)
        kept = shutil.copyfile(made.path, self._images / f"{name}.elf")
        return replace(load_kernel(kept, made.description), variables=made.variables)


def plan(kernels: Kernels, way: Source, seed: int) -> Plan:
    """Return a campaign of one process."""
    return Plan(kernels[way], MEMORY, seed, blocks=way is Source.QEMU)


def cases_to_find(one: Plan, folder: Path) -> tuple[int | None, float]:
    """Return how many cases and seconds a campaign took to its first finding."""
    with open_store(folder) as store, closing(run_campaign(one, store)) as states:
        for progress in states:
            if known_groups(store.findings):
                return progress.counts.cases, progress.seconds
    return None, progress.seconds


def found(tree: Tree, bug: Bug, campaigns: int, most: int) -> str:
    """Return a row: the median of the cases that each way took."""
    kernels, cells = tree.planted(bug), [bug.name]
    for way in WAYS:
        cases = []
        for seed in range(campaigns):
            with tempfile.TemporaryDirectory() as folder:
                one = replace(plan(kernels, way, seed), most_cases=most)
                taken, seconds = cases_to_find(one, Path(folder))
                cases.append(most + 1 if taken is None else taken)
                print(bug.name, way.value, seed, taken, f"{seconds:.1f} s", file=sys.stderr)
        cells.append(f"> {most}" if median(cases) > most else f"{median(cases):.0f}")
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
                assert guest.run_until_ready().alive
                taken.append(guest._vm.process.cpu_seconds() - before)
    return f"| {way.value} | {median(taken) * 1000:.2f} ms |"


def stability(kernels: Kernels, way: Source, boots: int) -> str:
    """Return a row: how many edges of ten cases not all boots of the case show."""
    kernel, known, unsteady = kernels[way], 0, 0
    tape = sound([operation(Kind.FRAMES_ALLOC, slot, slot + 1) for slot in range(8)])
    with observed(kernel, way) as pool:
        for number, case in enumerate(seeds(kernel, MEMORY)[:10]):
            again = replace(case, steps=tape if number % 2 else ())
            shown = [attempt(again, kernel, pool).edges for _ in range(boots)]
            known += len(frozenset.union(*shown))
            unsteady += len(frozenset.union(*shown) - frozenset.intersection(*shown))
    return f"| {way.value} | {known} | {unsteady} |"


@click.command()
@click.option("--campaigns", default=3, show_default=True, help="For each bug and way.")
@click.option("--most", default=2000, show_default=True, help="Cases after which one gives up.")
@click.option("--cases", default=3000, show_default=True, help="Of the campaign without a bug.")
def main(campaigns: int, most: int, cases: int) -> None:
    """Compare campaigns by features alone with those that have edges too."""
    with tempfile.TemporaryDirectory() as name:
        tree = Tree(Path(name))
        right = tree.built("sound")
        print("| cases are kept for | edges | features | kept |\n| --- | --: | --: | --: |")
        for guided in (False, True):
            print(reached(right, cases, guided), flush=True)
        print("\n| edges from | QEMU's time for a boot |\n| --- | --: |")
        for way in WAYS:
            print(cost(right, way, 100), flush=True)
        print("\n| edges from | of ten cases | not in each of 20 boots |\n| --- | --: | --: |")
        for way in WAYS[1:]:
            print(stability(right, way, 20), flush=True)
        print(f"\n| bug | {' | '.join(way.value for way in WAYS)} |\n| --- | --: | --: | --: |")
        for bug in DEEP:
            print(found(tree, bug, campaigns, most), flush=True)


if __name__ == "__main__":
    main()
