"""``harness boot``: one machine, its console in this terminal."""

from __future__ import annotations

import os
import select
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager

import click

from harness.cli.errors import EXIT_GOOD
from harness.cli.options import Selection, machine_options
from harness.machine.guest import Guest
from harness.machine.machine import Machine

LEAVE = b"\x1d"  # Ctrl-], as telnet has it
_LOOK_SECONDS = 0.2
_QUIET_SECONDS = 1.0


@click.command()
@machine_options
def boot(selection: Selection) -> int:
    """Boot one machine and connect this terminal to its console; Ctrl-] leaves.

    When standard input is no terminal, its lines are typed and the answers printed.

    \b
    Examples:
      harness boot --memory 16M
      harness boot --map 15m-hole.map --boot iso
      echo 'zone all' | harness boot --memory 64M
    """
    spec = selection.machine(selection.load_kernel())
    with Machine(spec) as machine:
        guest = machine.boot()
        if sys.stdin.isatty():
            click.echo("harness: Ctrl-] leaves", err=True)
            guest.resume()
            with _raw_terminal(sys.stdin.fileno()):
                _connect(guest)
        else:
            ending = guest.run_until_ready()
            sys.stdout.write(guest.console.log.text())
            if ending.kind.value == "ready":
                _connect(guest)
    click.echo()
    return EXIT_GOOD


@contextmanager
def _raw_terminal(descriptor: int) -> Iterator[None]:
    """Pass keys on as they are typed; give the terminal back as it was, whatever happens."""
    before = termios.tcgetattr(descriptor)
    try:
        tty.setraw(descriptor)
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _connect(guest: Guest) -> None:
    """Copy between terminal and console until Ctrl-], the guest's end, or all is said."""
    keys, screen, console = sys.stdin.fileno(), sys.stdout.fileno(), guest.console.fileno()
    sys.stdout.flush()
    listening = [keys, console]
    quiet = 0.0
    while quiet < _QUIET_SECONDS:
        ready, _, _ = select.select(listening, [], [], _LOOK_SECONDS)
        quiet = quiet + _LOOK_SECONDS if not ready and keys not in listening else 0.0
        if not ready and "running" not in guest.qemu("info status"):
            _drain(console, screen)
            return
        if console in ready and not _copy(console, screen):
            return
        if keys in ready:
            typed = os.read(keys, 1024)
            guest.console.send(typed.partition(LEAVE)[0].replace(b"\n", b"\r").decode("latin-1"))
            if LEAVE in typed:
                return
            if not typed:
                listening.remove(keys)


def _copy(source: int, target: int) -> bool:
    """Copy what is there; return whether the other side is still there."""
    data = os.read(source, 65536)
    os.write(target, data)
    return bool(data)


def _drain(source: int, target: int) -> None:
    while select.select([source], [], [], 0)[0] and _copy(source, target):
        pass
