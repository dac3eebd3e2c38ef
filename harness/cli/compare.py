"""``harness compare``: every design side by side, on the same machines and workloads."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click

from harness.cli.exit_codes import EXIT_FINDINGS, EXIT_GOOD
from harness.cli.interrupt import raise_lost_stop
from harness.cli.options import Selection, machine_options
from harness.cli.progress import shown_progress
from harness.cli.tables import print_table
from harness.machine.spec import MachineSpec
from harness.machine.workers import share_out
from harness.report.compare_json import comparison_json, curves_json
from harness.report.compare_table import (
    Done,
    after_boot_table,
    costs_table,
    curve_table,
    memory_table,
)
from harness.report.curve_picture import draw_curves
from harness.report.files import check_writable, write_atomically
from harness.report.memory_picture import draw_memory, picture_name
from harness.report.picture import require_pictures
from harness.report.reproduce import command_line
from harness.workload import library
from harness.workload.compare import Contest, contests, run_contests
from harness.workload.curve import SIZES, Point, measure_point
from harness.workload.trial import Trial
from harness.workload.workload import Workload

_MOST_VIOLATIONS = 5
_CURVES = "curves.png"
"""The file with the picture of all curves."""


@click.command()
@machine_options
@click.option(
    "--workload",
    "workloads",
    multiple=True,
    metavar="NAME|FILE",
    help="A recorded workload (see --list) or a file with one. Repeatable. Default: all recorded.",
)
@click.option("--list", "list_only", is_flag=True, help="List the recorded workloads and end.")
@click.option(
    "--curve",
    is_flag=True,
    help="Instead: the worst cost of each operation from 16 MiB to 4 GiB of memory.",
)
@click.option("--jobs", type=click.IntRange(1, 256), help="Processes. Default: one a core.")
@click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="Write every figure here; - for standard output, without the tables.",
)
@click.option(
    "--pictures",
    type=click.Path(path_type=Path, file_okay=False),
    help="Draw memory over time into this folder, a file for each design and workload; "
    f"with --curve all curves in one file, {_CURVES}.",
)
def compare(
    selection: Selection,
    workloads: tuple[str, ...],
    list_only: bool,
    curve: bool,
    jobs: int | None,
    json_file: Path | None,
    pictures: Path | None,
) -> int:
    """Give every preset of a kernel the same work on the same machines.

    Costs are guest instructions. Memory is decoded and checked on the way: what is found wrong is
    said, and makes the exit code 1.

    \b
    Examples:
      harness compare
      harness compare --preset oct --workload fixed
      harness compare --memory 16M,1G --workload my-workload.txt --json figures.json
      harness compare --workload generational --pictures pictures/
      harness compare --curve
    """
    if list_only:
        return _list_workloads()
    output = _Output(json_file, pictures, jobs)
    designs = _designs(selection)
    if curve:
        if workloads:
            raise click.UsageError("--curve does work of its own: it takes no --workload")
        return _compare_curves(designs, output)
    chosen = [library.find(name) for name in workloads or library.names()]
    _check_names(chosen)
    planned = contests([(name, _machines(one)) for name, one in designs], chosen)
    return _compare(planned, chosen, output)


@dataclass(frozen=True)
class _Output:
    """Where the results go; refuses at once what could not be written at the end."""

    json_file: Path | None
    pictures: Path | None
    jobs: int | None

    def __post_init__(self) -> None:
        if self.json_file is not None and not self.quiet:
            check_writable(self.json_file)
        if self.pictures is not None:
            require_pictures()
            self.pictures.mkdir(parents=True, exist_ok=True)

    @property
    def quiet(self) -> bool:
        """Whether standard output is for JSON alone."""
        return str(self.json_file) == "-"

    def write_json(self, value: object) -> None:
        """Write what a program is to read, if it was asked for."""
        if self.quiet:
            click.echo(json.dumps(value, indent=2))
        elif self.json_file is not None:
            write_atomically(self.json_file, json.dumps(value, indent=2) + "\n")


def _list_workloads() -> int:
    for name in library.names():
        workload = library.find(name)
        click.echo(f"{name:18} {len(workload.operations):5} operations: {workload.description}")
        if workload.source:
            click.echo(f"{'':18} source: {workload.source}")
    return EXIT_GOOD


def _check_names(workloads: Sequence[Workload]) -> None:
    """Raise ``click.UsageError`` when tables and pictures could not tell two workloads apart."""
    names = [workload.name for workload in workloads]
    for name in names:
        if names.count(name) > 1:
            raise click.UsageError(f"two workloads are called {name!r}")


def _designs(selection: Selection) -> list[tuple[str, Selection]]:
    """Return each preset's name and flags; only the one that --preset has chosen, if any."""
    if selection.preset is not None:
        return [(selection.preset, selection)]
    found = [(preset.name, selection.with_preset(preset)) for preset in selection.presets()]
    return found or [(selection.append or "(as it is)", selection)]


def _machines(selection: Selection) -> list[MachineSpec]:
    return selection.machines(selection.load_kernel())


def _compare(planned: list[Contest], workloads: Sequence[Workload], output: _Output) -> int:
    trials: dict[int, Trial] = {}
    interrupted = False
    try:
        with (
            shown_progress("comparing", len(planned), output.quiet) as progress,
            contextlib.closing(run_contests(planned, output.jobs)) as results,
        ):
            raise_lost_stop()
            for index, trial in results:
                raise_lost_stop()
                trials[index] = trial
                if not trial.good and not output.quiet:
                    progress.say(_finding(planned[index], trial))
                progress.advance()
    except KeyboardInterrupt:
        interrupted = True
    done = [(planned[index], trials[index]) for index in sorted(trials)]
    _show(done, workloads, output)
    if interrupted:
        raise KeyboardInterrupt
    return EXIT_GOOD if all(trial.good for _, trial in done) else EXIT_FINDINGS


def _show(done: list[Done], workloads: Sequence[Workload], output: _Output) -> None:
    if not output.quiet:
        print_table(after_boot_table(done))
        for workload in workloads:
            mine = [one for one in done if one[0].workload is workload]
            click.echo(f"\n{workload.name}: {workload.description}")
            print_table(costs_table(mine))
            print_table(memory_table(mine))
    if output.pictures is not None:
        for contest, trial in done:
            if trial.samples:
                draw_memory(contest, trial, output.pictures / picture_name(contest))
    output.write_json({"trials": comparison_json(done)})


def _finding(contest: Contest, trial: Trial) -> str:
    lines = [f"FINDING  {contest.design}, {contest.workload.name}"]
    lines += [f"  {one}" for one in trial.violations[:_MOST_VIOLATIONS]]
    if len(trial.violations) > _MOST_VIOLATIONS:
        lines.append(f"  … and {len(trial.violations) - _MOST_VIOLATIONS} more (--json has all)")
    if trial.ended:
        lines.append(f"  {trial.ended}")
    lines.append(f"  the machine: {command_line(contest.spec)}")
    return "\n".join(lines)


def _compare_curves(designs: Sequence[tuple[str, Selection]], output: _Output) -> int:
    specs = [
        (name, spec)
        for name, selection in designs
        for spec in _machines(replace(selection, memory=selection.memory or SIZES))
    ]
    points: dict[int, Point] = {}
    with (
        shown_progress("measuring", len(specs), output.quiet) as progress,
        contextlib.closing(
            share_out([spec for _, spec in specs], measure_point, output.jobs)
        ) as results,
    ):
        for index, point in results:
            raise_lost_stop()
            points[index] = point
            progress.advance()
    curves = [
        (name, [points[index] for index, (design, _) in enumerate(specs) if design == name])
        for name, _ in designs
    ]
    if not output.quiet:
        print_table(curve_table(curves))
    if output.pictures is not None:
        draw_curves(curves, output.pictures / _CURVES)
    output.write_json({"curves": curves_json(curves)})
    return EXIT_GOOD
