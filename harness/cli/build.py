"""``harness build``: build a kernel and say where it is."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.options import kernel_options, load_or_build


@click.command()
@kernel_options
def build(kernel: Path | None, variables: dict[str, str]) -> None:
    """Build a kernel, out of tree, and print the path of its image.

    \b
    Examples:
      harness build
      harness build --build CC=clang --build LD=ld.lld
    """
    click.echo(load_or_build(kernel, variables).path)
