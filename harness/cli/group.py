"""The ``harness`` command and its subcommands."""

from __future__ import annotations

import sys

import click

from harness.cli.bench import bench
from harness.cli.blame import blame
from harness.cli.boot import boot
from harness.cli.build import build
from harness.cli.compare import compare
from harness.cli.doctor import doctor
from harness.cli.errors import EXIT_GOOD, USER_ERRORS, exit_code
from harness.cli.gdb import gdb
from harness.cli.init import init
from harness.cli.inspect import inspect
from harness.cli.maps import maps
from harness.cli.run import run
from harness.cli.shell import shell


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="mm-harness", prog_name="harness")
def cli() -> None:
    """Boot a kernel's memory manager under QEMU, decode it out of guest RAM, and check it.

    \b
    Examples:
      harness run                                   the default matrix of machines
      harness run --map all --memory 64M            every real firmware map, in 64 MiB
      harness run --map dmesg.txt                   the map in a bug report
      harness boot --memory 16M                     a kernel's console in this terminal
      harness gdb --memory 64M                      gdb on it, with commands for its memory
      harness inspect --memory 1G --json            what its memory manager believes
      harness blame '&zones[0]'                     who wrote a word of memory
      harness shell --memory 64M                    a Python prompt with a live guest
      harness init build/kernel.elf                 a first description of your own kernel
      harness compare                               its designs side by side

    Exit codes: 0 good, 1 findings, 2 usage, 3 environment, 130 interrupted.
    """


for command in (run, boot, gdb, shell, inspect, blame, init, compare, maps, build, doctor, bench):
    cli.add_command(command)


def run_command() -> int:
    """Run the command line; turn every error a user can meet into a sentence and an exit code."""
    stdout = sys.stdout
    try:
        return cli.main(standalone_mode=False) or EXIT_GOOD
    except SystemExit:
        if sys.stdout is not stdout:
            # How click ends, with the code of a failure, when the reader of a pipe has gone.
            raise BrokenPipeError from None
        raise
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        raise KeyboardInterrupt from None
    except USER_ERRORS as error:
        click.echo(f"harness: {error}", err=True)
        return exit_code(error)
