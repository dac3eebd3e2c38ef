"""How soon campaigns find planted bugs, and how small their answers are.

::

    python -m tests.fuzz.planted --table docs/planted-bugs.md
    python -m tests.fuzz.planted --seconds 20 page-table-leaked type-as-a-byte

Results are kept in a folder, one file a bug: what is there already, measured in the same way, is
not measured again. Ctrl-C ends it; the table is written anew after each bug.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import msgspec

from harness.fuzz.campaign import Plan, run_campaign
from harness.fuzz.store import open_store
from harness.image.kernel_image import KernelImage
from harness.report.files import write_atomically
from tests.fuzz.planted_table import table
from tests.fuzz.plants import Plant, plants
from tests.kernel.planted import TREE, SourceCopy

MEMORY = 64 << 20


@dataclass(frozen=True)
class Way:
    """How bugs are looked for."""

    seed: int
    seconds: float
    """In which the first case must be found; making it smaller comes after."""


@dataclass(frozen=True)
class Outcome:
    """What became of the search for one bug."""

    plant: Plant
    way: Way
    cases: int
    """Until the first one that shows it, or all that there were time for."""
    seconds: float
    """The same."""
    group: str | None = None
    """What was found wrong; None when nothing was."""
    entries: int = 0
    """Of the shrunk case's map …"""
    operations: int = 0
    """… and of its tape."""
    memory: int = 0
    boots: int = 0
    """That shrinking took."""
    shrinking: float = 0.0
    """Seconds that it took."""


def search(plant: Plant, kernel: KernelImage, way: Way, folder: Path) -> Outcome:
    """Run a campaign on a kernel with a bug until it has shrunk its first finding."""
    plan = Plan(kernel, MEMORY, way.seed, jobs=1, most_seconds=way.seconds)
    cases, seconds = 0, 0.0
    with open_store(folder) as store, contextlib.closing(run_campaign(plan, store)) as states:
        for progress in states:
            if progress.findings:
                [finding] = progress.findings
                case = finding.attempt.case
                sizes = len(case.map.entries), len(case.steps), case.memory
                shrinking = progress.seconds - finding.seconds
                found = finding.seconds, finding.group, *sizes, finding.shrunk.boots, shrinking
                return Outcome(plant, way, cases, *found)
            cases, seconds = progress.done, progress.seconds
    return Outcome(plant, way, cases, seconds)


_source: SourceCopy


def _prepare(folder: Path, number: Iterator[int]) -> None:
    """Give this process a copy of the source, in which it is alone."""
    global _source
    top = Path(tempfile.mkdtemp(prefix="source-", dir=folder))
    images = top / "images"
    images.mkdir()
    _source = SourceCopy(top, images, flags="")


def _measure(plant: Plant, way: Way, folder: Path) -> Outcome:
    kernel = plant.build(_source)
    with tempfile.TemporaryDirectory(dir=folder) as campaign:
        return search(plant, kernel, way, Path(campaign))


def measure(chosen: list[Plant], way: Way, jobs: int) -> Iterator[Outcome]:
    """Yield what became of each bug, in the order in which they are done."""
    with tempfile.TemporaryDirectory(prefix="planted-") as scratch:
        folder = Path(scratch)
        pool = ProcessPoolExecutor(
            jobs, multiprocessing.get_context("fork"), _prepare, (folder, itertools.count())
        )
        try:
            futures = [pool.submit(_measure, plant, way, folder) for plant in chosen]
            for future in as_completed(futures):
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def kept(folder: Path, plant: Plant, way: Way) -> Outcome | None:
    """Return what is known of a bug that was looked for in the same way."""
    try:
        found = msgspec.json.decode((folder / f"{plant.name}.json").read_bytes(), type=Outcome)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
    return found if (found.plant, found.way) == (plant, way) else None


def _in_words(outcome: Outcome) -> str:
    if outcome.group is None:
        return f"{outcome.plant.name}: not found in {outcome.cases} cases"
    return (
        f"{outcome.plant.name}: found after {outcome.cases} cases, {outcome.seconds:.1f} s; "
        f"{outcome.entries} entries, {outcome.operations} operations, "
        f"{outcome.memory >> 20} MiB after {outcome.boots} boots, {outcome.shrinking:.1f} s: "
        f"{outcome.group}"
    )


def main() -> int:
    """Measure and write; exit status 1 when a bug was not found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.planted", description=__doc__)
    parser.add_argument("names", nargs="*", help="of bugs; all without any")
    parser.add_argument("--seconds", type=float, default=60, help="to find one in")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2, help="bugs that are looked for at a time")
    parser.add_argument("--results", type=Path, default=TREE / "build" / "planted")
    parser.add_argument("--again", action="store_true", help="also what is known")
    parser.add_argument("--table", type=Path, help="where the table goes")
    given = parser.parse_args()
    if unknown := set(given.names) - {plant.name for plant in plants()}:
        parser.error(f"no such bugs: {', '.join(sorted(unknown))}")
    way = Way(given.seed, given.seconds)
    chosen = [plant for plant in plants() if not given.names or plant.name in given.names]
    given.results.mkdir(parents=True, exist_ok=True)
    outcomes = {
        plant.name: known
        for plant in chosen
        if not given.again and (known := kept(given.results, plant, way))
    }
    started = time.monotonic()
    rest = [plant for plant in chosen if plant.name not in outcomes]
    for outcome in measure(rest, way, given.jobs):
        name = outcome.plant.name
        outcomes[name] = outcome
        write_atomically(given.results / f"{name}.json", msgspec.json.encode(outcome).decode())
        done = f"{len(outcomes)}/{len(chosen)} {time.monotonic() - started:.0f} s"
        print(f"{done}  {_in_words(outcome)}", file=sys.stderr, flush=True)
        if given.table:
            write_atomically(given.table, table(outcomes.values()))
    return int(any(outcome.group is None for outcome in outcomes.values()))


if __name__ == "__main__":
    sys.exit(main())
