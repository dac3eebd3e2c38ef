"""``harness inspect``: what one machine's memory manager believes, and what is wrong with it."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from harness.check.cross_check import cross_check
from harness.check.inspect import Inspection, inspect_guest, model_of
from harness.check.model import READY
from harness.check.refusal import reason_to_refuse
from harness.check.violation import Violation
from harness.cli.errors import EXIT_FINDINGS, EXIT_GOOD
from harness.cli.options import Selection, machine_options
from harness.image.description import Description
from harness.machine.ending import Ending, EndingKind
from harness.machine.errors import GuestEnded
from harness.machine.guest import Guest
from harness.machine.machine import Machine
from harness.report.run_table import lost_text
from harness.report.state_json import state_json
from harness.report.state_text import state_text
from harness.report.units import about


@click.command()
@machine_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--moment",
    default=READY,
    show_default=True,
    help="When to look: ready, or a moment of the kernel's description.",
)
@click.option(
    "--cross-check",
    "cross",
    is_flag=True,
    help="Compare the page tables with QEMU's own walk and with what the CPU does.",
)
def inspect(selection: Selection, as_json: bool, moment: str, cross: bool) -> int:
    """Boot one machine and show its memory manager, decoded out of guest RAM.

    \b
    Examples:
      harness inspect --memory 64M
      harness inspect --memory 64M --moment early
      harness inspect --map ibm-calgary-x366-2.6.18 --memory 64M --json
    """
    kernel = selection.load_kernel()
    spec = selection.machine(kernel)
    with Machine(spec) as machine, machine.boot() as guest:
        ending = _run_until(guest, moment, kernel.description)
        if ending is not None:
            return _explain(guest, ending)
        inspection = inspect_guest(guest, moment)
        extra = cross_check(guest, inspection) if cross else ()
    violations = (*inspection.violations, *extra)
    if as_json:
        click.echo(json.dumps(_as_json(inspection, violations), indent=1))
    else:
        click.echo(_as_text(inspection, violations, kernel.description))
    return EXIT_FINDINGS if violations else EXIT_GOOD


def _run_until(guest: Guest, moment: str, description: Description) -> Ending | None:
    """Run the guest until the moment and pause it; return how it ended if it did before."""
    if moment == READY:
        ending = guest.run_until_ready()
        guest.pause()
        return None if ending.alive else ending
    if moment not in description.moments:
        known = ", ".join([READY, *description.moments])
        raise click.BadParameter(f"no moment {moment!r}; this kernel has {known}")
    try:
        guest.stop_before(description.moments[moment])
    except GuestEnded as error:
        return error.ending
    return None


def _explain(guest: Guest, ending: Ending) -> int:
    """Say why there is nothing to inspect; a machine may be turned down with good reason."""
    click.echo(f"There is nothing to inspect: the guest ended.\n{ending}")
    if ending.kind is EndingKind.REFUSED:
        reason = reason_to_refuse(model_of(guest), guest.kernel)
        if reason is not None:
            click.echo(f"Rightly so: {reason}.")
            return EXIT_GOOD
    return EXIT_FINDINGS


def _as_json(inspection: Inspection, violations: tuple[Violation, ...]) -> dict[str, object]:
    return {
        "state": state_json(inspection.state),
        "summary": asdict(inspection.summary),
        "violations": [asdict(violation) for violation in violations],
    }


def _as_text(
    inspection: Inspection, violations: tuple[Violation, ...], description: Description
) -> str:
    return "\n\n".join(
        [
            state_text(inspection.state, description),
            _figures(inspection),
            _verdict(inspection, violations),
        ]
    )


def _figures(inspection: Inspection) -> str:
    state, summary = inspection.state, inspection.summary
    if not (state.frame_table or state.free_lists or state.bitmaps or state.bumps):
        return f"usable {about(summary.usable_bytes)}; nothing says which frames are free"
    return (
        f"usable {about(summary.usable_bytes)}, free {about(summary.free_bytes)}, "
        f"largest free block {about(summary.largest_free_block)}; "
        f"frames lost {lost_text(summary.lost)}"
    )


def _verdict(inspection: Inspection, violations: tuple[Violation, ...]) -> str:
    if violations:
        return "\n".join(["violations:", *(f"  {one}" for one in violations)])
    state = inspection.state
    described = state.frame_table or state.free_lists or state.bitmaps or state.bumps
    return "no violations" if described else "no violations in what is described"
