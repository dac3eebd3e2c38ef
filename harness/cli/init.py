"""``harness init``: a first description of a kernel, out of its ELF."""

from __future__ import annotations

import os
from pathlib import Path

import click

from harness.image.draft.document import draft, findings
from harness.image.elf import load_kernel
from harness.image.find import FILE


@click.command()
@click.argument("elf", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    default=FILE,
    show_default=True,
    help="Where to write it; - for standard output. A file that is there stays.",
)
def init(elf: Path, output: Path) -> None:
    """Write a first description of a kernel: what its debug information lets one guess.

    It looks for bitmaps, free lists, frame tables, headers and page directories. The description
    can be used at once; look through it, then let the harness check the kernel.

    \b
    Examples:
      harness init build/kernel.elf
      harness inspect --kernel harness.toml --memory 64M
    """
    kernel = load_kernel(elf)
    to_stdout = str(output) == "-"
    folder = Path.cwd() if to_stdout else output.absolute().parent
    text = draft(kernel, os.path.relpath(elf.absolute(), folder))
    if to_stdout:
        click.echo(text, nl=False)
        return
    try:
        with output.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise click.BadParameter(
            f"{output} is there already; --output names another", param_hint="--output"
        ) from None
    click.echo(f"{output}: {findings(kernel)}")
    click.echo(f"Now: harness inspect --kernel {output} --memory 64M")
