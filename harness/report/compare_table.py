"""What ``harness compare`` prints: designs side by side."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.table import Table

from harness.report.units import about, size
from harness.workload.compare import Contest
from harness.workload.curve import GROWS, Point, growth
from harness.workload.operation import Kind
from harness.workload.trial import Sample, Trial

KIND_WORDS = {
    Kind.FRAMES_ALLOC: "frames +",
    Kind.FRAMES_FREE: "frames -",
    Kind.HEAP_ALLOC: "heap +",
    Kind.HEAP_FREE: "heap -",
}

Done = tuple[Contest, Trial]


def after_boot_table(done: Iterable[Done]) -> Table:
    """Return one row a design and machine: memory before the first operation."""
    table = _table("after boot", (), ("usable", "free", "overhead", "largest block"))
    seen: set[tuple[str, str]] = set()
    for contest, trial in done:
        key = contest.design, machine_name(contest)
        if key in seen or not trial.samples:
            continue
        seen.add(key)
        memory = trial.samples[0].memory
        figures = (memory.usable, memory.free, memory.overhead, memory.largest_block)
        table.add_row(*key, *(f"{figure >> 10} KiB" for figure in figures))
    return table


def costs_table(done: Iterable[Done]) -> Table:
    """Return one row a design and kind of operation of one workload: guest instructions."""
    table = _table("instructions", ("operation",), ("count", "median", "p99", "worst"))
    for contest, trial in done:
        for kind, cost in trial.costs.items():
            figures = (cost.count, round(cost.median), round(cost.p99), cost.worst)
            words = KIND_WORDS[kind]
            table.add_row(contest.design, machine_name(contest), words, *map(str, figures))
    return table


def memory_table(done: Iterable[Done]) -> Table:
    """Return one row a design: what one workload did to its memory."""
    headings = ("asked at most", "given then", "wasted then", "at most", "scattered at most")
    table = _table("memory", (), (*headings, "largest left", "failed"))
    for contest, trial in done:
        if not trial.samples:
            continue
        peak = peak_sample(trial)
        table.add_row(
            contest.design,
            machine_name(contest),
            about(peak.asked),
            about(peak.memory.given),
            _percent(peak.memory.internal_fragmentation(peak.asked)),
            _percent(max(s.memory.internal_fragmentation(s.asked) for s in trial.samples)),
            _percent(max(s.memory.external_fragmentation for s in trial.samples)),
            about(trial.samples[-1].memory.largest_block),
            str(trial.failures),
        )
    return table


def curve_table(curves: Sequence[tuple[str, Sequence[Point]]]) -> Table:
    """Return one row a design and kind of operation: its worst cost in each size of memory."""
    sizes = sorted({point.memory for _, points in curves for point in points})
    table = _table("worst instructions", ("operation",), tuple(map(size, sizes)), machine=False)
    table.add_column("grows")
    for design, points in curves:
        by_size = {point.memory: point for point in points}
        for kind, words in KIND_WORDS.items():
            cells = [
                str(by_size[memory].costs[kind].worst)
                if memory in by_size and kind in by_size[memory].costs
                else "-"
                for memory in sizes
            ]
            times = growth(points, kind)
            grows = f"{times:.1f} times" if times >= GROWS else "no"
            table.add_row(design, words, *cells, grows)
    return table


def peak_sample(trial: Trial) -> Sample:
    """Return the sample at which most was asked for."""
    return max(trial.samples, key=lambda sample: sample.asked)


def machine_name(contest: Contest) -> str:
    """Return what tells a contest's machine from others: its size and map."""
    spec = contest.spec
    name = f", {spec.map.name or 'given map'}" if spec.map else ""
    return f"{size(spec.memory)}{name}"


def _percent(share: float) -> str:
    return f"{share:.1%}"


def _table(
    title: str, words: tuple[str, ...], numbers: tuple[str, ...], machine: bool = True
) -> Table:
    table = Table(title=title, title_justify="left", box=None, header_style="bold", pad_edge=False)
    table.add_column("design", no_wrap=True)
    for heading in (("machine",) if machine else ()) + words:
        table.add_column(heading, overflow="fold")
    for heading in numbers:
        table.add_column(heading, justify="right", no_wrap=True)
    return table
