"""``harness shell``: a Python prompt with a guest."""

from __future__ import annotations

import code
import contextlib
import os
import readline
import rlcompleter
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import platformdirs

from harness.check.inspect import inspect_guest
from harness.cli.errors import USER_ERRORS
from harness.cli.exit_codes import EXIT_GOOD
from harness.cli.options import Selection, machine_options
from harness.debug.guest import DebuggedGuest
from harness.machine.machine import Machine
from harness.machine.saved_guest import load_guest

HISTORY = "shell-history"
LINES = 1000
"""Of the history that are kept."""


@click.command()
@machine_options
@click.option("--paused", is_flag=True, help="Stop before the kernel's first instruction.")
@click.option(
    "--core",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Look at a guest that was saved to this file instead of booting one.",
)
def shell(selection: Selection, paused: bool, core: Path | None) -> int:
    """Boot one machine and give a Python prompt with the live guest; Ctrl-D leaves.

    TAB completes, and the history is kept. Lines of a standard input that is no terminal are
    carried out one after another.

    \b
    Examples:
      harness shell --memory 64M
      harness shell --paused --boot multiboot
      harness shell --core failed.core
      echo 'print(guest.registers())' | harness shell
    """
    if core is not None:
        if paused or not selection.is_default or selection.kernel is not None:
            raise click.UsageError("--core takes no flags about a machine to boot")
        _converse(_saved_names(core))
        return EXIT_GOOD
    spec = selection.machine(selection.load_kernel())
    with Machine(spec) as machine, DebuggedGuest(machine.boot()) as guest:
        if not paused and not (ending := guest.run_until_ready()).alive:
            click.echo(f"harness: the guest has ended: {ending}", err=True)
        _converse({"guest": guest, "kernel": guest.kernel, "spec": spec, "machine": machine})
    return EXIT_GOOD


def _saved_names(core: Path) -> dict[str, Any]:
    guest = load_guest(core)
    inspection = inspect_guest(guest, guest.moment)
    return {
        "guest": guest,
        "kernel": guest.kernel,
        "state": inspection.state,
        "inspection": inspection,
    }


class _Prompt(code.InteractiveConsole):
    """A prompt at which an error of the harness's takes one sentence, and no traceback."""

    def showtraceback(self) -> None:
        error = sys.exc_info()[1]
        if isinstance(error, KeyboardInterrupt):
            self.write("\nKeyboardInterrupt\n")
        elif isinstance(error, USER_ERRORS) or type(error).__module__.startswith("harness."):
            self.write(f"{type(error).__name__}: {error}\n")
        else:
            super().showtraceback()


def _converse(names: dict[str, Any]) -> None:
    """Read and carry out Python until the end of the input."""
    prompt = _Prompt({"__name__": "__console__", "__doc__": None, **names})
    if not sys.stdin.isatty():
        for line in sys.stdin:
            prompt.push(line.rstrip("\n"))
        prompt.push("")
        return
    banner = f"Python {sys.version.split()[0]} with {', '.join(names)}; Ctrl-D leaves"
    with _line_editor(prompt.locals), contextlib.suppress(SystemExit):
        prompt.interact(banner, exitmsg="")


@contextlib.contextmanager
def _line_editor(names: Any) -> Iterator[None]:
    """Complete names and keep the history while Python is typed."""
    readline.set_completer(rlcompleter.Completer(names).complete)
    readline.parse_and_bind("tab: complete")
    readline.set_history_length(LINES)
    path = platformdirs.user_state_path("mm-harness") / HISTORY
    with contextlib.suppress(OSError):  # the first time there is none
        readline.read_history_file(path)
    try:
        yield
    finally:
        try:
            _keep_history(path)
        except OSError as error:
            click.echo(f"harness: the history was not kept: {error}", err=True)


def _keep_history(path: Path) -> None:
    """Write the history, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    half = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        readline.write_history_file(half)
        half.replace(path)
    finally:
        half.unlink(missing_ok=True)
