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
import multiprocessing
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from harness.fuzz.campaign import Plan, run_campaign
from harness.fuzz.corpus import plain_seeds
from harness.fuzz.store import open_store
from harness.fuzz.subject import Subject
from harness.image.build import build
from harness.image.description import bundled_description
from harness.image.kernel_image import KernelImage
from harness.report.files import write_atomically
from tests.fuzz.outcome import Outcome, Way, save, saved
from tests.fuzz.planted_table import page
from tests.fuzz.plants import Plant, plants
from tests.kernel.planted import TREE, SourceCopy

MEMORY = 64 << 20


def search(plant: Plant, kernel: KernelImage, way: Way, folder: Path) -> Outcome:
    """Run a campaign on a kernel with a bug until it has shrunk its first finding."""
    plan = Plan(Subject(kernel), MEMORY, way.seed, jobs=1, most_seconds=way.seconds)
    cases, seconds = 0, 0.0
    with open_store(folder) as store, contextlib.closing(run_campaign(plan, store)) as states:
        for progress in states:
            if progress.findings:
                [finding] = progress.findings
                case = finding.attempt.case
                return Outcome(
                    plant,
                    way,
                    cases,
                    finding.seconds,
                    finding.group,
                    len(case.map.entries),
                    len(case.steps),
                    case.memory,
                    finding.shrunk.boots,
                    progress.seconds - finding.seconds,
                )
            cases, seconds = progress.done, progress.seconds
    return Outcome(plant, way, cases, seconds)


_source: SourceCopy


def _prepare(folder: Path) -> None:
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
    context = multiprocessing.get_context("fork")
    with tempfile.TemporaryDirectory(prefix="planted-") as scratch:
        folder = Path(scratch)
        pool = ProcessPoolExecutor(jobs, context, _prepare, (folder,))
        try:
            futures = [pool.submit(_measure, plant, way, folder) for plant in chosen]
            for future in as_completed(futures):
                yield future.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _plain_seeds() -> int:
    """Return how long plain PCs are among a campaign's cases: every other one."""
    return 2 * len(plain_seeds(build(bundled_description()), MEMORY))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz.planted",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
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
    return given


def main() -> int:
    """Measure and write; return 1 when a bug was not found."""
    given, started = _arguments(), time.monotonic()
    way = Way(given.seed, given.seconds)
    chosen = [plant for plant in plants() if not given.names or plant.name in given.names]
    given.results.mkdir(parents=True, exist_ok=True)
    known = [] if given.again else [saved(given.results, plant, way) for plant in chosen]
    outcomes = [outcome for outcome in known if outcome is not None]
    done = {outcome.plant.name for outcome in outcomes}
    plain = _plain_seeds()
    for outcome in measure([plant for plant in chosen if plant.name not in done], way, given.jobs):
        outcomes.append(outcome)
        save(outcome, given.results)
        progress = f"{len(outcomes)}/{len(chosen)}, {time.monotonic() - started:.0f} s"
        print(f"{progress}: {outcome}", file=sys.stderr, flush=True)
        if given.table:
            write_atomically(given.table, page(outcomes, plain))
    if given.table:
        write_atomically(given.table, page(outcomes, plain))
    return int(any(outcome.group is None for outcome in outcomes))


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
