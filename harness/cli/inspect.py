"""``harness inspect``: what one machine's memory manager believes, and what is wrong with it."""

from __future__ import annotations

import itertools
import json
from dataclasses import asdict
from pathlib import Path

import click

from harness.check.cross_check import cross_check
from harness.check.inspect import Inspection, inspect_guest, model_of
from harness.check.model import READY
from harness.check.refusal import reason_to_refuse
from harness.check.violation import Violation
from harness.cli.blamer import Blamer, blame_option
from harness.cli.errors import EXIT_FINDINGS, EXIT_GOOD
from harness.cli.options import Selection, machine_options
from harness.image.description import Description
from harness.image.find import describe, is_built
from harness.machine.ending import Ending, EndingKind
from harness.machine.errors import GuestEnded
from harness.machine.guest import Guest
from harness.machine.machine import Machine
from harness.machine.saved_guest import load_guest
from harness.machine.saved_spec import load_spec
from harness.machine.spec import MachineSpec
from harness.report.run_table import About, lost_text, nothing_more
from harness.report.state_json import state_json
from harness.report.state_text import state_text
from harness.report.units import about


@click.command()
@machine_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option(
    "--core",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Inspect a guest that was saved to this file instead of booting one; --kernel then names "
    "a description to read it by, in place of the saved one.",
)
@click.option(
    "--moment",
    help="When to look: ready, the default, or a moment of the kernel's description. With --core, "
    "what the guest is taken to be at; the default is when it was saved.",
)
@click.option(
    "--cross-check",
    "cross",
    is_flag=True,
    help="Compare the page tables with QEMU's own walk and with what the CPU does.",
)
@blame_option
def inspect(
    selection: Selection,
    as_json: bool,
    core: Path | None,
    moment: str | None,
    cross: bool,
    blame: bool,
) -> int:
    """Boot one machine and show its memory manager, decoded out of guest RAM.

    \b
    Examples:
      harness inspect --memory 64M
      harness inspect --memory 64M --moment early
      harness inspect --map ibm-calgary-x366-2.6.18 --memory 64M --json
      harness inspect --core failed.core
    """
    if core is not None:
        if cross or not selection.is_default:
            raise click.UsageError("--core takes no flags about a machine to boot")
        return _inspect_core(core, selection.kernel, moment, as_json, blame)
    moment = moment or READY
    kernel = selection.load_kernel()
    spec = selection.machine(kernel)
    with Machine(spec) as machine, machine.boot() as guest:
        ending = _run_until(guest, moment, kernel.description)
        if ending is not None:
            return _explain(guest, ending)
        inspection = inspect_guest(guest, moment)
        extra = cross_check(guest, inspection) if cross else ()
    violations = (*inspection.violations, *extra)
    blamed = spec if blame else None
    return _show(inspection, violations, kernel.description, as_json, blamed)


def _inspect_core(
    core: Path, chosen: Path | None, moment: str | None, as_json: bool, blame: bool
) -> int:
    if chosen is not None and is_built(chosen):
        raise click.BadParameter("with --core, --kernel names a description; the core has the ELF")
    description = None if chosen is None else describe(chosen)
    guest = load_guest(core, description)
    moment = moment or guest.moment
    _check_moment(moment, guest.kernel.description)
    inspection = inspect_guest(guest, moment)
    blamed = load_spec(core) if blame else None
    return _show(inspection, inspection.violations, guest.kernel.description, as_json, blamed)


def _show(
    inspection: Inspection,
    violations: tuple[Violation, ...],
    description: Description,
    as_json: bool,
    blamed: MachineSpec | None,
) -> int:
    """Print it all; ``blamed`` is the machine in which to look for who is to blame, if wanted."""
    moment, tell = inspection.state.moment, Blamer()
    if as_json:
        more = tell.json_of(blamed, violations, moment) if blamed else {}
        click.echo(json.dumps(_as_json(inspection, violations) | more, indent=1))
    else:
        about = tell.of(blamed, violations, moment) if blamed else nothing_more
        click.echo(_as_text(inspection, violations, description, about))
    return EXIT_FINDINGS if violations else EXIT_GOOD


def _check_moment(moment: str, description: Description) -> None:
    known = [READY, *description.moments]
    if moment not in known:
        raise click.BadParameter(f"no moment {moment!r}; this kernel has {', '.join(known)}")


def _run_until(guest: Guest, moment: str, description: Description) -> Ending | None:
    """Run the guest until the moment and pause it; return how it ended if it did before."""
    if moment == READY:
        ending = guest.run_until_ready()
        guest.pause()
        return None if ending.alive else ending
    _check_moment(moment, description)
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
    inspection: Inspection,
    violations: tuple[Violation, ...],
    description: Description,
    about: About,
) -> str:
    return "\n\n".join(
        [
            state_text(inspection.state, description),
            _figures(inspection),
            _verdict(inspection, violations, about),
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


def _verdict(inspection: Inspection, violations: tuple[Violation, ...], about: About) -> str:
    if violations:
        lines = [[f"  {one}", *(f"    {line}" for line in about(one))] for one in violations]
        return "\n".join(["violations:", *itertools.chain.from_iterable(lines)])
    state = inspection.state
    described = state.frame_table or state.free_lists or state.bitmaps or state.bumps
    return "no violations" if described else "no violations in what is described"
