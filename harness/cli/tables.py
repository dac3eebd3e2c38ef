"""Tables on standard output, for a terminal or a file."""

from __future__ import annotations

import sys

import click
from rich.console import Console
from rich.table import Table

_WIDE = 400  # columns of what does not go to a terminal: nothing is folded


def columns() -> int:
    """Return how many columns there are for a table."""
    return Console().width if sys.stdout.isatty() else _WIDE


def print_table(table: Table, least: int = 0) -> None:
    """Print ``table``; a terminal of less than ``least`` columns wraps its lines.

    By way of click: rich itself ends a program with a failure when the reader of a pipe has gone.
    """
    console = Console(width=max(columns(), least))
    with console.capture() as printed:
        console.print(table)
    click.echo("\n".join(line.rstrip() for line in printed.get().splitlines()))
