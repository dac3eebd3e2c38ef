"""``harness cover``: which of a kernel's code is executed."""

from __future__ import annotations

import re
from pathlib import Path

import click

from harness.cli.exit_codes import EXIT_GOOD
from harness.cli.options import Selection, machine_options, type_option
from harness.cli.progress import shown_progress
from harness.cover.coverage import coverage_of
from harness.cover.executed import Executed
from harness.machine.ending import Ending
from harness.machine.errors import GuestEnded
from harness.machine.guest import Guest
from harness.machine.machine import Machine
from harness.report.coverage_text import coverage_text, lcov_text
from harness.report.files import check_writable, write_atomically


@click.command()
@machine_options
@type_option
@click.option("--missed", is_flag=True, help="Name the functions that were not called.")
@click.option(
    "--lcov",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a tracefile for genhtml, or for an editor that shows covered lines.",
)
def cover(selection: Selection, commands: tuple[str, ...], missed: bool, lcov: Path | None) -> int:
    """Boot machines, and tell which functions and lines of the kernel were executed on any.

    The kernel is as it is: QEMU counts. Without debug information there are functions only, and
    without symbols only a number of instructions.

    \b
    Examples:
      harness cover --map all --memory 64M
      harness cover --memory 64M --type 'alloc 3' --missed
      harness cover --kernel ~/mykernel/kernel.elf --lcov kernel.info
    """
    if lcov is not None:
        check_writable(lcov)
    kernel = selection.load_kernel()
    machines = selection.machines(kernel)
    with Executed(kernel) as executed, shown_progress("booting", len(machines), False) as progress:
        extra = executed.extra
        for spec in machines:
            with Machine(spec, extra) as machine, machine.boot() as guest:
                if ending := _run(guest, commands):
                    progress.say(f"harness: the guest ended: {ending}")
            progress.advance()
        coverage = coverage_of(kernel, executed.counts())
    if lcov is not None:
        write_atomically(lcov, lcov_text(coverage))
    click.echo(coverage_text(coverage, missed))
    return EXIT_GOOD


def _run(guest: Guest, commands: tuple[str, ...]) -> Ending | None:
    """Let a guest get ready and obey; return how it ended if it did."""
    ending = guest.run_until_ready()
    if not ending.alive:
        return ending
    monitor = guest.kernel.description.monitor
    try:
        if monitor is not None and not commands:
            guest.console.expect(re.escape(monitor.prompt))
        for command in commands:
            guest.monitor.command(command)
    except GuestEnded as error:
        return error.ending
    return None
