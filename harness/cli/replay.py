"""``harness replay``: boot a case that a campaign left, and check it again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from harness.cli.exit_codes import EXIT_FINDINGS, EXIT_GOOD
from harness.cli.options import BootType, kernel_options, load_or_build
from harness.fuzz.attempt import attempt
from harness.fuzz.case_file import CaseFile, load_case
from harness.fuzz.finding import case_in_words
from harness.image.kernel_image import KernelImage
from harness.machine.pool import Pool
from harness.machine.spec import BootPath


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@kernel_options
@click.option(
    "--boot",
    type=BootType(),
    metavar="direct|multiboot|iso",
    help="Another way into memory, for a second opinion; where things lie is the loader's there.",
)
def replay(
    file: Path,
    kernel: Path | None,
    variables: dict[str, str],
    boot: tuple[BootPath, ...] | None,
) -> int:
    """Boot the machine in FILE, a case of 'harness fuzz', and check it.

    The kernel is the one that the case was found with, built anew from its sources if they are
    there; --kernel names another.

    \b
    Examples:
      harness replay findings/frames.two-owners-1f0c2a77/case.json
      harness replay case.json --kernel ~/mended/kernel --boot iso
    """
    found = load_case(file)
    if kernel is None and not variables:
        kernel, variables = _kernel_of(found), found.kernel.variables
    image = load_or_build(kernel, variables)
    _tell_of_another(found, image)
    case = found.case
    if boot is not None:
        if len(boot) != 1:
            raise click.UsageError("--boot takes one path here")
        case = replace(case, boot=boot[0])
    click.echo(case_in_words(case))
    with Pool() as pool:
        attempted = attempt(case, image, pool)
    if attempted.word is None:
        raise click.UsageError(f"no boot loader leaves memory like that: {attempted.impossible}")
    for violation in attempted.violations:
        click.echo(f"  {violation}")
    click.echo(attempted.word)
    return EXIT_FINDINGS if attempted.violations else EXIT_GOOD


def _kernel_of(found: CaseFile) -> Path | None:
    """Return where the case's kernel is to be had; None for the bundled one."""
    if not found.kernel.path:
        return None
    place = Path(found.kernel.path)
    if not place.exists():
        raise click.UsageError(f"the case's kernel is not at {place} any more: give --kernel")
    return place


def _tell_of_another(found: CaseFile, image: KernelImage) -> None:
    if found.kernel.digest != image.digest:
        click.echo("harness: this is not the very kernel that the case was found with", err=True)
