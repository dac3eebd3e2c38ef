"""Two ways to make cases, measured against each other on the same planted bugs.

::

    python -m tests.fuzz.race --into docs/fuzzing.md

One is the product's: :mod:`harness.fuzz.mutator` in a campaign. The other is byte strings through
``fuzz_one_input``: :mod:`tests.fuzz.byte_cases`. Both have the same kernel, seeds of chance, checks
and time, one process, and no shrinking. Results are kept in a folder, so that what is known is not
measured again; ``--again`` does. The table goes to standard output, or between two marks of a page.
"""

from __future__ import annotations

import argparse
import contextlib
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import msgspec

from harness.fuzz.attempt import attempt
from harness.fuzz.campaign import Plan, run_campaign
from harness.fuzz.finding import known_groups
from harness.fuzz.store import open_store
from harness.fuzz.subject import Subject
from harness.image.kernel_image import KernelImage
from harness.machine.pool import Pool
from harness.report.files import write_atomically
from tests.fuzz.byte_cases import Bytes
from tests.fuzz.planted import MEMORY
from tests.fuzz.plants import Plant, plants
from tests.kernel.planted import TREE, SourceCopy

CHOSEN = (
    *("unknown-type-usable", "ends-at-an-empty-entry", "last-entry-wins"),
    *("start-rounded-down", "rounded-entry-by-entry", "one-page-left-of-a-cut"),
    *("module-end-inclusive", "last-pair-without-a-bit", "freed-smaller-than-allocated"),
    *("large-page-over-a-hole", "page-table-leaked", "kmalloc-of-nothing"),
    *("class-one-byte-too-small", "slab-not-counted-off"),
)
"""Of each part of the memory manager some, none of which a plain boot shows."""


BEGIN, END = "<!-- race -->", "<!-- end of race -->"


@dataclass(frozen=True)
class Heat:
    """One search for one bug in one way."""

    plant: str
    way: str
    seed: int
    limit: float
    """Seconds that there were."""
    cases: int
    seconds: float
    found: bool


def by_mutation(kernel: KernelImage, seed: int, limit: float) -> tuple[int, float, bool]:
    """Return cases and seconds that a campaign takes to the first finding, and whether it has."""
    plan = Plan(Subject(kernel), MEMORY, seed, jobs=1, most_seconds=limit)
    cases, seconds = 0, 0.0
    with (
        tempfile.TemporaryDirectory() as folder,
        open_store(Path(folder)) as store,
        contextlib.closing(run_campaign(plan, store)) as states,
    ):
        for progress in states:
            cases, seconds = progress.done, progress.seconds
            if known_groups(store.findings):
                return cases, seconds, True
    return cases, seconds, False


def by_bytes(kernel: KernelImage, seed: int, limit: float) -> tuple[int, float, bool]:
    """Return the same for byte strings."""
    started, cases = time.monotonic(), 0
    search = Bytes(kernel, MEMORY, seed)
    with Pool() as pool:
        while time.monotonic() - started < limit:
            attempted = attempt(search.next_case(), kernel, pool)
            cases += 1
            if attempted.group is not None:
                return cases, time.monotonic() - started, True
            search.learn(attempted)
    return cases, time.monotonic() - started, False


WAYS: dict[str, Callable[[KernelImage, int, float], tuple[int, float, bool]]] = {
    "mutator": by_mutation,
    "bytes": by_bytes,
}


def _heat(file: Path, plant: Plant, way: str, seed: int, limit: float, source: SourceCopy) -> Heat:
    """Return what is known of a search, or make it."""
    with contextlib.suppress(FileNotFoundError, msgspec.DecodeError):
        known = msgspec.json.decode(file.read_bytes(), type=Heat)
        if known.limit == limit:
            return known
    heat = Heat(plant.name, way, seed, limit, *WAYS[way](plant.build(source), seed, limit))
    write_atomically(file, msgspec.json.encode(heat).decode())
    print(heat, file=sys.stderr, flush=True)
    return heat


def _row(name: str, heats: list[Heat]) -> str:
    cells = [f"`{name}`"]
    for way in WAYS:
        mine = [heat for heat in heats if heat.way == way]
        cells += [f"{sum(heat.found for heat in mine)} of {len(mine)}"]
        cells += [_median(mine, lambda heat: heat.cases, 0)]
        cells += [_median(mine, lambda heat: heat.seconds, 1)]
    return "| " + " | ".join(cells) + " |"


def _median(heats: list[Heat], number: Callable[[Heat], float], digits: int) -> str:
    """Return a median; a search in vain counts as longer than all others."""
    numbers = [number(heat) if heat.found else float("inf") for heat in heats]
    middle = median(numbers)
    return f"{middle:.{digits}f}" if middle < float("inf") else "-"


def table(heats: list[Heat]) -> str:
    """Return all in Markdown."""
    names = dict.fromkeys(heat.plant for heat in heats)
    lines = [
        "| bug | mutator: found | cases | seconds | bytes: found | cases | seconds |",
        "| --- | --: | --: | --: | --: | --: | --: |",
        *(_row(name, [heat for heat in heats if heat.plant == name]) for name in names),
    ]
    found = {way: sum(heat.found for heat in heats if heat.way == way) for way in WAYS}
    searches = len(heats) // len(WAYS)
    sums = ", ".join(f"{way} {count}" for way, count in found.items())
    return "\n".join([*lines, "", f"Found, of {searches} searches each: {sums}."])


def put_into(page: Path, text: str) -> None:
    """Write ``text`` between the marks of a page."""
    before, rest = page.read_text().split(BEGIN)
    behind = rest.split(END)[1]
    write_atomically(page, f"{before}{BEGIN}\n{text}\n{END}{behind}")


def main() -> None:
    """Measure what is not known yet, and print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz.race",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", default=CHOSEN, help="of bugs")
    parser.add_argument("--seconds", type=float, default=10, help="of each search")
    parser.add_argument("--seeds", type=int, default=3, help="searches for each bug in each way")
    parser.add_argument("--results", type=Path, default=TREE / "build" / "race")
    parser.add_argument("--again", action="store_true", help="also what is known")
    parser.add_argument("--into", type=Path, help="a page with marks for the table")
    given = parser.parse_args()
    if given.again:
        shutil.rmtree(given.results, ignore_errors=True)
    given.results.mkdir(parents=True, exist_ok=True)
    chosen = [plant for plant in plants() if plant.name in given.names]
    with tempfile.TemporaryDirectory(prefix="race-") as scratch:
        source = SourceCopy(Path(scratch) / "source", Path(scratch), flags="")
        heats = [
            _heat(given.results / f"{plant.name}-{way}-{seed}.json", plant, way, seed,
                  given.seconds, source)
            for plant in chosen
            for seed in range(given.seeds)
            for way in WAYS
        ]  # fmt: skip
    if given.into:
        put_into(given.into, table(heats))
    else:
        print(table(heats))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
