"""``harness doctor``: what is missing on this machine, and the command that installs it."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import click
from rich.table import Table

from harness.cli.exit_codes import EXIT_ENVIRONMENT, EXIT_GOOD
from harness.cli.tables import print_table
from harness.debug.stores import plugin, why_unsupported
from harness.machine.errors import MachineError

_FILES = (
    ("GRUB for BIOS machines", "/usr/lib/grub/i386-pc", "grub-pc-bin", "run"),
    ("SeaBIOS", "/usr/share/seabios/bios-256k.bin", "seabios", "run"),
    ("qboot", "/usr/share/qemu/qboot.rom", "qemu-system-data", "run"),
)
_SECONDS = 10


@dataclass(frozen=True)
class Need:
    """Something outside Python that the harness uses; ``found`` says what, None: missing."""

    what: str
    package: str
    purpose: str
    """``run``: no machine boots without it; ``debug``: gdb and blame; ``test``: this repository's
    tests."""
    found: str | None


def find_needs() -> Iterator[Need]:
    """Yield everything needed, looked up now."""
    for line in resources.files(__package__).joinpath("tools.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            program, package, purpose = line.split()
            yield Need(program, package, purpose, _version(program))
    for what, path, package, purpose in _FILES:
        yield Need(what, package, purpose, path if Path(path).exists() else None)
    yield _plugins()


def _plugins() -> Need:
    """Return what blame needs to see every store: a C compiler, and a QEMU with plugins."""
    try:
        found = None if why_unsupported() else str(plugin())
    except MachineError:
        found = None
    return Need("QEMU plugins, for blame, cover and fuzz", "gcc qemu-system-x86", "debug", found)


def _version(program: str) -> str | None:
    path = shutil.which(program)
    if path is None:
        return None
    try:
        answer = subprocess.run(
            [path, "--version"], capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{path}, which does not run: {error}"
    lines = (answer.stdout or answer.stderr).strip().splitlines()
    return lines[0] if lines else path


@click.command()
def doctor() -> int:
    """Say what is missing on this machine, and the command that installs it.

    Exit code 3 when machines cannot boot without it.
    """
    needs = list(find_needs())
    table = Table(box=None, header_style="bold", pad_edge=False)
    for heading in ("needed", "for", "found"):
        table.add_column(heading, overflow="fold")
    for need in needs:
        table.add_row(need.what, need.purpose, need.found or "[bold red]missing[/]")
    print_table(table)
    missing = [need for need in needs if need.found is None]
    if not missing:
        click.echo("Nothing is missing.")
        return EXIT_GOOD
    packages = " ".join(sorted({need.package for need in missing}))
    click.echo(f"Install what is missing:\n    sudo apt-get install {packages}")
    return EXIT_ENVIRONMENT if any(need.purpose == "run" for need in missing) else EXIT_GOOD
