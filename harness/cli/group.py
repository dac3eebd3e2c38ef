"""The ``harness`` command and its subcommands."""

from __future__ import annotations

import sys
from importlib import import_module

import click

from harness.cli.exit_codes import EXIT_GOOD

COMMANDS = (
    *("run", "boot", "inspect", "gdb", "shell", "blame"),
    *("init", "maps", "cover", "compare", "fuzz", "replay"),
    *("build", "doctor", "bench"),
)
"""Each is a function in the module of its name."""


class _Commands(click.Group):
    """The subcommands, each loaded when it is asked for: together they take a second."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        found: click.Command = getattr(import_module(f"harness.cli.{cmd_name}"), cmd_name)
        return found


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
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
      harness shell --memory 64M                    a Python prompt with a live guest
      harness blame '&zones[0]'                     who wrote a word of memory
      harness init build/kernel.elf                 a first description of your own kernel
      harness cover --map all --memory 64M          which of its code is executed
      harness compare                               its designs side by side
      harness fuzz --time 10m                       machines that nobody thought of

    Exit codes: 0 good, 1 findings, 2 usage, 3 environment, 130 interrupted.
    """


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
    except _user_errors() as error:
        from harness.cli.errors import exit_code

        click.echo(f"harness: {error}", err=True)
        return exit_code(error)


def _user_errors() -> tuple[type[Exception], ...]:
    """Return the errors whose message is the whole story; looked up once there is an error."""
    from harness.cli.errors import USER_ERRORS

    return USER_ERRORS
