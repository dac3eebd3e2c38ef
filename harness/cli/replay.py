"""``harness replay``: boot a case that a campaign left, and check it again."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

import click

from harness.check.violation import Violation
from harness.cli.exit_codes import EXIT_FINDINGS, EXIT_GOOD
from harness.cli.options import BootType, kernel_options, load_or_build
from harness.fuzz.attempt import Attempt, attempt
from harness.fuzz.carries_out import why_not_carried_out
from harness.fuzz.case import Case
from harness.fuzz.case_file import CaseFile, load_case
from harness.fuzz.case_words import case_in_words
from harness.fuzz.culprit import blame_case, why_not_blamed
from harness.fuzz.second_opinion import on_path
from harness.image.kernel_image import KernelImage
from harness.machine.errors import MachineError
from harness.machine.pool import Pool
from harness.machine.spec import BootPath

_HARMLESS = re.compile(r"[\w+=,.-]*( -[\w+=,.-]*)*")
"""Values of build variables that name no program elsewhere, and that no shell takes apart."""


@click.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@kernel_options
@click.option(
    "--boot",
    type=BootType(),
    metavar="direct|multiboot|iso",
    help="Another way into memory, for a second opinion; where things lie is the loader's there.",
)
@click.option(
    "--blame", is_flag=True, help="Boot once more, and tell who wrote the words that are wrong."
)
def replay(
    file: Path,
    kernel: Path | None,
    variables: dict[str, str],
    boot: tuple[BootPath, ...] | None,
    blame: bool,
) -> int:
    """Boot the machine in FILE, a case of 'harness fuzz', and check it.

    The kernel is the one that the case was found with, built anew from its sources if they are
    there; --kernel names another.

    \b
    Examples:
      harness replay findings/frames.two-owners-1f0c2a77/case.json
      harness replay case.json --blame
      harness replay case.json --kernel ~/mended/kernel --boot iso
    """
    found = load_case(file)
    if kernel is None and not variables:
        kernel, variables = _kernel_of(found), _variables_of(found)
    image = load_or_build(kernel, variables)
    _tell_of_another(found, image)
    if (why := why_not_carried_out(found.case, image)) is not None:
        raise click.UsageError(f"{why}; give the kernel that it was found with, or one that can")
    case = found.case if boot is None else _on_path(found.case, boot)
    click.echo(case_in_words(case))
    with Pool() as pool:
        attempted = attempt(case, image, pool)
    if attempted.word is None:
        raise click.UsageError(f"there is no such machine: {attempted.impossible}")
    blamed = _blamed(case, image, attempted) if blame else {}
    for violation in attempted.violations:
        click.echo(f"  {violation}")
        for line in blamed.get(violation, ()):
            click.echo(f"    {line}")
    click.echo(attempted.word)
    return EXIT_FINDINGS if attempted.violations else EXIT_GOOD


def _on_path(case: Case, boot: tuple[BootPath, ...]) -> Case:
    if len(boot) != 1:
        raise click.UsageError("--boot takes one path here")
    case, lost = on_path(case, boot[0])
    if lost:
        click.echo(
            f"harness: on the {boot[0].value} path the loader decides about {', '.join(lost)}: "
            "the case is booted without",
            err=True,
        )
    return case


def _blamed(
    case: Case, kernel: KernelImage, attempted: Attempt
) -> Mapping[Violation, Sequence[str]]:
    """Return who is to blame; say why where nobody is known to be."""
    if not attempted.violations:
        return {}
    try:
        why_not = why_not_blamed(case, kernel, attempted.violations)
        if why_not is None:
            return blame_case(case, kernel, attempted.violations)
    except MachineError as error:
        why_not = str(error)
    click.echo(f"harness: nobody is blamed: {why_not}", err=True)
    return {}


def _kernel_of(found: CaseFile) -> Path | None:
    """Return where the case's kernel is to be had; None for the bundled one."""
    if not found.kernel.path:
        return None
    place = Path(found.kernel.path)
    if not place.exists():
        raise click.UsageError(f"the case's kernel is not at {place} any more: give --kernel")
    return place


def _variables_of(found: CaseFile) -> dict[str, str]:
    """Return what the case's kernel was built with; a case may come from anybody."""
    for name, value in found.kernel.variables.items():
        if not _HARMLESS.fullmatch(value):
            raise click.UsageError(
                f"the case's kernel was built with {name}={value!r}, which can be any program; if "
                f"you trust it, give it yourself: --build {shlex.quote(f'{name}={value}')}"
            )
    return found.kernel.variables


def _tell_of_another(found: CaseFile, image: KernelImage) -> None:
    if found.kernel.digest != image.digest:
        click.echo("harness: this is not the very kernel that the case was found with", err=True)
