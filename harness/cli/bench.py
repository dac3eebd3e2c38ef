"""``harness bench``: how fast all of this is here, against the targets."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click
from rich.table import Table

from harness.bench.measurement import Measurement, one_core
from harness.bench.suite import BENCHES, LONG
from harness.cli.exit_codes import EXIT_FINDINGS, EXIT_GOOD
from harness.cli.options import kernel_options, load_or_build
from harness.cli.tables import print_table
from harness.report.files import check_writable, write_atomically


@click.command()
@kernel_options
@click.option(
    "--only",
    multiple=True,
    type=click.Choice(sorted(BENCHES | LONG)),
    metavar="NAME",
    help="Measure this figure only. Repeatable. fuzz_memory_growth and fuzz_wrong_timeouts "
    "take half an hour, and are left out unless they are named.",
)
@click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the figures here as well.",
)
def bench(
    kernel: Path | None, variables: dict[str, str], only: tuple[str, ...], json_file: Path | None
) -> int:
    """Measure speed, each figure side by side with what it is compared to, on one core.

    Exit code 1 when a target is missed.

    \b
    Examples:
      harness bench
      harness bench --only verdicts_per_second --json bench.json
    """
    if json_file is not None:
        check_writable(json_file)
    image = load_or_build(kernel, variables)
    taken: dict[str, Measurement] = {}
    for name in only or tuple(BENCHES):
        if name not in taken:
            click.echo(f"measuring {name} …", err=True)
            with one_core():
                taken |= {one.name: one for one in (BENCHES | LONG)[name](image)}
    shown = [one for name, one in taken.items() if not only or name in only]
    print_table(_table(shown))
    if json_file is not None:
        figures = {one.name: {**asdict(one), "met": one.met} for one in shown}
        write_atomically(json_file, json.dumps(figures, indent=2) + "\n")
    return EXIT_GOOD if all(one.met for one in shown) else EXIT_FINDINGS


def _table(measurements: list[Measurement]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("figure", "value", "target", "met", "made of"):
        table.add_column(heading, overflow="fold")
    for one in measurements:
        table.add_row(
            one.name,
            f"{one.value:.4g} {one.unit}",
            _target(one),
            "[green]yes[/]" if one.met else "[bold red]no[/]",
            ", ".join(f"{name} {value:.4g}" for name, value in one.details.items()),
        )
    return table


def _target(one: Measurement) -> str:
    if one.target is None:
        return "-"
    return f"{'at least' if one.at_least else 'at most'} {one.target:g} {one.unit}"
