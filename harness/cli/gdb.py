"""``harness gdb``: a machine under a person's gdb."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path

import click

from harness.cli.exit_codes import EXIT_ENVIRONMENT
from harness.cli.options import (
    Selection,
    changed_flags,
    common_flags,
    core_option,
    description_for_core,
    machine_options,
    selection_of,
)
from harness.debug.by_hand import debug_by_hand, debug_core
from harness.machine.spec import MachineSpec
from harness.report.views.view import BadArguments


@click.command()
@machine_options
@click.option(
    "--break",
    "where",
    metavar="SYMBOL",
    help="The function to stop before. Default: the first C function that the kernel enters.",
)
@core_option
@click.option(
    "--record",
    is_flag=True,
    help="Record the guest, so that 'mm back' can go back in its life.",
)
@click.option("--batch", is_flag=True, help="End when gdb's scripts have ended; gdb's --batch.")
@click.option(
    "-x",
    "scripts",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A script for gdb. Repeatable.",
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def gdb(
    selection: Selection,
    where: str | None,
    core: Path | None,
    record: bool,
    batch: bool,
    scripts: tuple[Path, ...],
    arguments: tuple[str, ...],
) -> int:
    """Boot one machine and give you gdb on it, with the commands 'mm …'; 'help mm' lists them.

    What stands behind -- goes to gdb. Your ~/.gdbinit is read; nothing is loaded automatically.

    \b
    Examples:
      harness gdb --memory 64M
      harness gdb --map dmesg.txt --break panic
      harness gdb --memory 16M --batch -- -ex 'mm check'
      harness gdb --core failed.core
    """

    chosen = common_flags(click.get_current_context())

    def choose(flags: Sequence[str]) -> MachineSpec:
        """Return the machine of the flags up to now, changed by a reboot's for good."""
        try:
            changed = changed_flags(chosen, flags, "mm reboot")
            machine = selection_of(changed)
            spec = machine.machine(machine.load_kernel())
        except click.ClickException as error:
            raise BadArguments(error.format_message()) from None
        chosen.update(changed)
        return spec

    given = ["--batch"] * batch
    for script in scripts:
        given += ["-x", str(script)]
    given += arguments
    if core is None:
        return _exit_code(debug_by_hand(choose, where, record, given))
    if where is not None or record or not selection.is_default:
        raise click.UsageError("--core takes no flags about a machine to boot")
    return _exit_code(debug_core(core, description_for_core(selection.kernel), given))


def _exit_code(code: int) -> int:
    """Return what gdb's exit code means; a signal that ended it is the environment's matter."""
    if code < 0:
        click.echo(f"harness: gdb was ended by {signal.Signals(-code).name}", err=True)
    return code if code >= 0 else EXIT_ENVIRONMENT
