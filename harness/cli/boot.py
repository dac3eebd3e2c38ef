"""``harness boot``: one machine, its console in this terminal."""

from __future__ import annotations

import os
import select
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import click

from harness.cli.exit_codes import EXIT_FINDINGS, EXIT_GOOD
from harness.cli.options import Selection, machine_options
from harness.machine.ending import Ending
from harness.machine.errors import MachineError
from harness.machine.guest import Guest
from harness.machine.machine import Machine
from harness.machine.recording import Recorder
from harness.machine.recording_file import save_recording
from harness.machine.spec import MachineSpec
from harness.report.files import check_writable

LEAVE = b"\x1d"  # Ctrl-], as telnet has it
_LOOK_SECONDS = 0.2
_QUIET_SECONDS = 1.0


@click.command()
@machine_options
@click.option(
    "--record",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a recording here, which 'harness blame' and 'harness gdb' replay.",
)
def boot(selection: Selection, record: Path | None) -> int:
    """Boot one machine and connect this terminal to its console; Ctrl-] leaves.

    When standard input is no terminal, its lines are typed and the answers printed. What a kernel
    shows on the screen, where its description says that it prints there, is printed at the end.

    \b
    Examples:
      harness boot --memory 16M
      harness boot --map 15m-hole.map --boot iso
      echo 'zone all' | harness boot --memory 64M
      harness boot --memory 16M --record odd.rec
    """
    spec = selection.machine(selection.load_kernel())
    with _booted(spec, record) as guest:
        guest.console.echo = _show
        if sys.stdin.isatty():
            click.echo("harness: Ctrl-] leaves", err=True)
            guest.resume()
            with _raw_terminal(sys.stdin.fileno()):
                ending = _connect(guest)
        else:
            ending = guest.run_until_ready()
            if ending.alive:
                ending = _connect(guest)
            if ending is None and _silent(guest):
                click.echo("\nharness: the guest has not come back to its prompt", err=True)
                return EXIT_FINDINGS
        click.echo(_screen(guest))
    if ending is None:
        return EXIT_GOOD
    click.echo(f"harness: the machine ended: {replace(ending, console_tail='')}", err=True)
    return EXIT_FINDINGS


@contextmanager
def _booted(spec: MachineSpec, record: Path | None) -> Iterator[Guest]:
    """Boot ``spec``; leave a recording at the end, if one is wanted."""
    if record is None:
        with Machine(spec) as machine:
            yield machine.boot()
        return
    check_writable(record)
    with Recorder(spec) as recorder:
        yield recorder.guest
        save_recording(record, recorder.finish())


def _screen(guest: Guest) -> str:
    """Return what the kernel shows, if it prints there."""
    if guest.kernel.description.console.device != "screen":
        return ""
    try:
        return guest.screen.text
    except MachineError as error:
        return f"harness: no screen: {error}"


def _silent(guest: Guest) -> bool:
    """Return whether a guest that has a monitor still owes an answer."""
    monitor = guest.kernel.description.monitor
    return monitor is not None and not guest.console.log.text().endswith(monitor.prompt)


def _show(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


@contextmanager
def _raw_terminal(descriptor: int) -> Iterator[None]:
    """Pass keys on as they are typed; give the terminal back as it was, whatever happens."""
    before = termios.tcgetattr(descriptor)
    try:
        tty.setraw(descriptor)
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _connect(guest: Guest) -> Ending | None:
    """Copy between terminal and console until Ctrl-], or all is said: None; or until the end."""
    keys, console = sys.stdin.fileno(), guest.console.fileno()
    listening = [keys, console]
    quiet = 0.0
    while quiet < _QUIET_SECONDS:
        ready, _, _ = select.select(listening, [], [], _LOOK_SECONDS)
        if ending := guest.look():
            return ending
        quiet = quiet + _LOOK_SECONDS if not ready and keys not in listening else 0.0
        if keys in ready:
            typed = os.read(keys, 1024)
            guest.console.send(typed.partition(LEAVE)[0].replace(b"\n", b"\r").decode("latin-1"))
            if LEAVE in typed:
                return None
            if not typed:
                listening.remove(keys)
    return None
