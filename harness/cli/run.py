"""``harness run``: boot machines, check each, and end in a table."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import click

from harness.check.verdict import Verdict
from harness.check.verify_all import verify_all
from harness.cli.blamer import Blamer, blame_option
from harness.cli.exit_codes import EXIT_FINDINGS, EXIT_GOOD
from harness.cli.interrupt import raise_lost_stop
from harness.cli.matrix import default_matrix
from harness.cli.options import Selection, machine_options
from harness.cli.progress import shown_progress
from harness.cli.tables import columns, print_table
from harness.machine.spec import MachineSpec
from harness.report.files import check_writable, write_atomically
from harness.report.run_table import finding_text, nothing_more, run_table

_LEAST = 79  # columns that the figures need: a narrower terminal wraps lines, and loses none
_LEAST_FOR_ALL = 110  # with room for the owners of what is lost


@click.command()
@machine_options
@click.option(
    "--thorough",
    is_flag=True,
    help="Also look at earlier moments of the boot, and compare the page tables with QEMU's walk "
    "and with what the CPU does. The default matrix does.",
)
@blame_option
@click.option("--jobs", type=click.IntRange(1, 256), help="Processes. Default: one a core.")
@click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="Write every machine's result here; - for standard output, without the table.",
)
def run(
    selection: Selection, thorough: bool, blame: bool, jobs: int | None, json_file: Path | None
) -> int:
    """Boot the kernel on machines, decode its memory manager, and check it.

    Without --memory, --map and --boot: the default matrix of sizes, real maps and boot paths.

    \b
    Examples:
      harness run
      harness run --memory 16M,64M,1G --boot all
      harness run --map all --memory 64M --json results.json
      harness run --map '0-9fc00 usable, 100000-4000000 usable'
      harness run --kernel ~/mykernel --memory 32M --blame
    """
    to_stdout = json_file is not None and str(json_file) == "-"
    if json_file is not None and not to_stdout:
        check_writable(json_file)
    kernel = selection.load_kernel()
    default = selection.is_default
    machines = default_matrix(selection, kernel) if default else selection.machines(kernel)
    tell = Blamer() if blame else None
    verdicts, interrupted = _verify(machines, jobs, thorough or default, to_stdout, tell)
    done = [verdict for verdict in verdicts if verdict is not None]
    if not to_stdout:
        _show(done, len(machines))
    if json_file is not None:
        _write_json(done, json_file, to_stdout, tell)
    if interrupted:
        raise KeyboardInterrupt
    return EXIT_FINDINGS if any(v.verdict == "finding" for v in done) else EXIT_GOOD


def _verify(
    machines: list[MachineSpec],
    jobs: int | None,
    thorough: bool,
    quiet: bool,
    tell: Blamer | None,
) -> tuple[list[Verdict | None], bool]:
    """Return a verdict for each machine, None where Ctrl-C came first, and whether it came."""
    verdicts: list[Verdict | None] = [None] * len(machines)
    try:
        with (
            shown_progress("booting", len(machines), quiet) as progress,
            contextlib.closing(verify_all(machines, jobs, thorough)) as results,
        ):
            raise_lost_stop()
            for index, verdict in results:
                raise_lost_stop()
                verdicts[index] = verdict
                if verdict.verdict == "finding" and not quiet:
                    more = nothing_more if tell is None else tell.about(verdict)
                    progress.say(finding_text(verdict, more))
                progress.advance()
    except KeyboardInterrupt:
        return verdicts, True
    return verdicts, False


def _show(verdicts: list[Verdict], planned: int) -> None:
    print_table(run_table(verdicts, narrow=columns() < _LEAST_FOR_ALL), _LEAST)
    counts = {
        kind: sum(verdict.verdict == kind for verdict in verdicts)
        for kind in ("good", "refused", "finding")
    }
    machines = "1 machine" if len(verdicts) == 1 else f"{len(verdicts)} machines"
    text = f"{machines}: {counts['good']} good, {counts['refused']} refused, "
    text += f"{counts['finding']} with findings"
    if len(verdicts) < planned:
        text += f"; interrupted, {planned - len(verdicts)} not run"
    click.echo(text)


def _write_json(verdicts: list[Verdict], file: Path, to_stdout: bool, tell: Blamer | None) -> None:
    machines = [verdict.to_json() | (tell.json(verdict) if tell else {}) for verdict in verdicts]
    text = json.dumps({"machines": machines}, indent=2)
    if to_stdout:
        click.echo(text)
    else:
        write_atomically(file, text + "\n")
