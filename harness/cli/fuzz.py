"""``harness fuzz``: machines that nobody thought of, and the smallest on which a kernel fails."""

from __future__ import annotations

import contextlib
import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.live import Live
from rich.text import Text

from harness.cli.exit_codes import EXIT_FINDINGS, EXIT_GOOD
from harness.cli.interrupt import Terminated, raise_lost_stop
from harness.cli.options import kernel_options, load_or_build, parse_size
from harness.cli.progress import ProgressConsole
from harness.fuzz.campaign import Plan, Progress, run_campaign
from harness.fuzz.case_words import case_in_words
from harness.fuzz.finding import Finding, known_groups
from harness.fuzz.possible import why_impossible
from harness.fuzz.store import Store, StoreError, open_store
from harness.fuzz.subject import Source, Subject, choose_subject
from harness.image.kernel_image import KernelImage
from harness.machine.guest import BOOT_TIMEOUT
from harness.machine.spec import MachineSpec
from harness.maps.memory_map import LEAST_MEMORY, MemoryMap

_LINE_SECONDS = 5.0
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


class DurationType(click.ParamType[float]):
    """``90``, ``90s``, ``10m``, ``8h``, ``2d``, in seconds."""

    name = "duration"

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        if isinstance(value, float):
            return value
        found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", value)
        if found is None:
            self.fail(f"{value!r} is no duration: 90s, 10m, 8h or 2d", param, ctx)
        if not (seconds := float(found[1]) * _UNITS[found[2]]):
            self.fail("nothing can be done in no time", param, ctx)
        return seconds


@click.command()
@kernel_options
@click.option("--memory", default="64M", show_default=True, metavar="SIZE", help="Most RAM.")
@click.option("--time", "seconds", type=DurationType(), help="How long, such as 90s, 10m, 8h.")
@click.option("--cases", type=click.IntRange(1), help="How many cases.")
@click.option(
    "--jobs",
    type=click.IntRange(1, 256),
    help="Processes, by default one a core; with --scheduler the most jobs at a time.",
)
@click.option(
    "--scheduler",
    metavar="ADDRESS|FILE",
    help="Work on a dask cluster: where its scheduler is, or the file that it writes.",
)
@click.option(
    "--seed",
    type=int,
    help="Of the chances taken. Default: 0; a campaign that goes on keeps its own.",
)
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("fuzz"),
    show_default=True,
    help="Where corpus and findings go.",
)
@click.option(
    "--coverage",
    type=click.Choice([source.value for source in Source]),
    help="Who tells which code is executed. Default: the compiler, else QEMU, if they can; a "
    "campaign that goes on keeps its own.",
)
@click.option("--resume", is_flag=True, help="Go on with the campaign in the folder.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def fuzz(
    kernel: Path | None,
    variables: dict[str, str],
    memory: str,
    seconds: float | None,
    cases: int | None,
    jobs: int | None,
    scheduler: str | None,
    seed: int | None,
    folder: Path,
    coverage: str | None,
    resume: bool,
    as_json: bool,
) -> int:
    """Boot the kernel on machine after machine that nobody wrote by hand, and check each.

    A case that shows something new is kept, and changed again. Of each kind of finding the first
    one is made as small as it gets, and left in a folder: the case for 'harness replay', a test
    that fails, the console, a core, and what is wrong in words. Without --time and --cases it goes
    on until Ctrl-C or SIGTERM.

    \b
    Examples:
      harness fuzz --time 10m
      harness fuzz --kernel ~/mykernel --folder ~/campaign --resume
      harness fuzz --cases 1000 --jobs 1 --seed 7       the same cases each time
      harness fuzz --scheduler tcp://127.0.0.1:8786     on the workers of a dask cluster
    """
    size = parse_size(memory)
    with open_store(folder, begun=resume) as store:
        before = store.counts()
        if before is not None and not resume:
            raise StoreError(f"{folder} holds a campaign: --resume goes on, --folder takes another")
        begun_with = before.coverage if before else None
        subject = choose_subject(
            load_or_build(kernel, variables),
            size,
            lambda more: load_or_build(kernel, {**variables, **more}),
            Source(coverage) if coverage else begun_with,
            before.kernel if before else None,
        )
        _check_memory(subject, size)
        plan = Plan(subject, size, seed, jobs, cases, seconds, scheduler)
        progress, stop = _run(plan, store, quiet=as_json)
        known = len(known_groups(store.findings))
        text = _as_json(progress, subject, known) if as_json else None
        click.echo(text or _summary(progress, subject, known, folder))
    if stop is not None:
        raise stop
    return EXIT_FINDINGS if known else EXIT_GOOD


def _check_memory(subject: Subject, size: int) -> None:
    """Raise ``UsageError`` where no machine could be: all cases would be impossible."""
    map_ = MemoryMap.pc(max(size, LEAST_MEMORY))
    why = why_impossible(MachineSpec(subject.kernel, size, map=map_))
    if why is not None:
        raise click.UsageError(f"--memory {size // 1024}K: {why}; take another size")


def _run(
    plan: Plan, store: Store, quiet: bool
) -> tuple[Progress, KeyboardInterrupt | Terminated | None]:
    """Run the campaign; return how far it came, and what Ctrl-C or SIGTERM raised."""
    progress = Progress(store.counts() or plan.counts())
    told = 0
    try:
        with (
            _shown(quiet) as show,
            contextlib.closing(run_campaign(plan, store)) as states,
        ):
            if (why := _why_slow(plan.subject.kernel)) is not None:
                show(why, True)
            for progress in states:
                raise_lost_stop()
                for note in progress.notes:
                    show(note, True)
                progress.notes.clear()
                for finding in progress.findings[told:]:
                    show(_found(finding), True)
                told = len(progress.findings)
                show(_line(progress), False)
    except (KeyboardInterrupt, Terminated) as stop:
        return progress, stop
    return progress, None


def _why_slow(kernel: KernelImage) -> str | None:
    """Return what makes each case slow, and what to do about it."""
    description = kernel.description
    if description.console.ready is not None:
        return None
    write = f"write it into {description.path}"
    if description.path is None:
        write = f"begin a description with 'harness init {kernel.path}', and write it there"
    return (
        "harness: slow: nothing says by which line the kernel tells that it is ready, so each case "
        f"waits until it halts, or for {BOOT_TIMEOUT:g} s of CPU time; {write}, under [console], "
        "such as ready = '^ready$'"
    )


@contextlib.contextmanager
def _shown(quiet: bool) -> Iterator[Callable[[str, bool], None]]:
    """Give a function that shows a text: to stay, or until the next one comes."""
    console = ProgressConsole(stderr=True)
    if quiet:
        yield lambda text, stays: None
        return
    if sys.stderr.isatty():
        with Live(console=console, transient=True, refresh_per_second=4) as live:
            yield lambda text, stays: console.print(Text(text)) if stays else live.update(text)
        return
    last = [time.monotonic()]

    def show(text: str, stays: bool) -> None:
        if stays or time.monotonic() - last[0] >= _LINE_SECONDS:
            last[0] = time.monotonic()
            console.print(Text(text), soft_wrap=True)

    yield show


def _line(progress: Progress) -> str:
    counts, seconds = progress.counts, progress.seconds
    rate = progress.done / seconds if seconds else 0.0
    edges = f"{progress.edges} edges, " if progress.edges else ""
    last = progress.last_new_edge if progress.edges else progress.last_new
    return (
        f"{counts.cases} cases, {rate:.0f}/s, {edges}{progress.features} features, "
        f"{progress.kept} kept, {len(progress.findings)} new findings, "
        f"last new {'edge' if edges else 'feature'} {time.monotonic() - last:.0f} s ago"
    )


def _found(finding: Finding) -> str:
    where = case_in_words(finding.attempt.case)
    when = f"after {finding.seconds:.1f} s" if finding.seconds else "of an earlier session"
    return f"FINDING {when}: {finding.group}\n  on {where}"


def _summary(progress: Progress, subject: Subject, known: int, folder: Path) -> str:
    counts = progress.counts
    text = (
        f"{counts.cases} cases: {counts.refused} rightly refused, {counts.impossible} impossible, "
        f"{counts.lost} lost; {_edges(progress, subject)}{progress.features} features, "
        f"{progress.kept} cases kept; {known} finding{'s' * (known != 1)}"
    )
    if known:
        text += f" in {folder / 'findings'}"
    if subject.why_none:
        text += f"\nWithout edges, by features alone: {subject.why_none}"
    return text


def _edges(progress: Progress, subject: Subject) -> str:
    if subject.source is Source.NONE:
        return ""
    since = time.monotonic() - progress.last_new_edge
    return f"{progress.edges} edges, the last new one {since:.0f} s before the end, "


def _as_json(progress: Progress, subject: Subject, known: int) -> str:
    since = time.monotonic() - progress.last_new_edge
    found = {
        **asdict(progress.counts),
        "seconds": progress.counts.seconds + progress.seconds,
        "features": progress.features,
        "coverage": subject.source.value,
        "edges": progress.edges,
        "seconds_since_new_edge": since if progress.edges else None,
        "kept": progress.kept,
        "findings": known,
        "rate": progress.done / progress.seconds,
    }
    return json.dumps(found, indent=1)
