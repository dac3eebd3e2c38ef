"""``harness inspect``: what one machine's memory manager believes, and what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from harness.check.cross_check import cross_check
from harness.check.inspect import Inspection, model_of
from harness.check.model import READY
from harness.check.observation import Observation
from harness.check.refusal import reason_to_refuse
from harness.check.saved_state import state_in_core
from harness.check.violation import Violation
from harness.cli.blamer import Blamer, blame_option
from harness.cli.exit_codes import EXIT_FINDINGS, EXIT_GOOD
from harness.cli.options import Selection, core_option, description_for_core, machine_options
from harness.image.description import Description
from harness.machine.ending import Ending, EndingKind
from harness.machine.errors import GuestEnded
from harness.machine.guest import Guest
from harness.machine.machine import Machine
from harness.machine.saved_guest import load_guest
from harness.machine.saved_spec import load_spec
from harness.machine.spec import MachineSpec
from harness.report.run_table import About, nothing_more
from harness.report.state_json import state_json
from harness.report.state_text import state_text
from harness.report.views.check import figures_text, verdict_text
from harness.report.views.registry import VIEWS, find_view


class _WithViews(click.Command):
    """Lists the views in its help, beside its options."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("WHAT [ARGUMENTS], which gdb has as 'mm WHAT' too"):
            formatter.write_dl([(view.name, view.summary) for view in VIEWS.values()])


@click.command(cls=_WithViews, context_settings={"ignore_unknown_options": True})
@machine_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@core_option
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
@click.argument("what", nargs=-1, type=click.UNPROCESSED, metavar="[WHAT [ARGUMENTS]]")
def inspect(
    selection: Selection,
    as_json: bool,
    core: Path | None,
    moment: str | None,
    cross: bool,
    blame: bool,
    what: tuple[str, ...],
) -> int:
    """Boot one machine and show its memory manager, decoded out of guest RAM.

    WHAT shows one part of it, such as walk ADDRESS; without it, the whole.

    \b
    Examples:
      harness inspect --memory 64M
      harness inspect --memory 64M walk 0xc0100000
      harness inspect --core failed.core who 0x1234000
      harness inspect --memory 64M --moment early
      harness inspect --map ibm-calgary-x366-2.6.18 --memory 64M --json
      harness inspect --core failed.core
    """
    if what and what[0].startswith("-"):
        raise click.NoSuchOption(what[0])
    if what:
        find_view(what[0])  # before a machine is booted for it
    if what and (cross or blame):
        option = "--cross-check" if cross else "--blame"
        raise click.UsageError(f"{option} goes with the whole, not with a part such as WHAT")
    if core is not None:
        if cross or not selection.is_default:
            raise click.UsageError("--core takes no flags about a machine to boot")
        return _inspect_core(core, selection.kernel, moment, as_json, what, blame)
    moment = moment or READY
    kernel = selection.load_kernel()
    spec = selection.machine(kernel)
    with Machine(spec) as machine, machine.boot() as guest:
        ending = _run_until(guest, moment, kernel.description)
        if ending is not None:
            return _explain(guest, ending)
        seen = Observation(guest, moment, past=state_in_core)
        if what:
            return _show_view(seen, what, as_json)
        inspection = seen.inspection
        extra = cross_check(guest, inspection) if cross else ()
    violations = (*inspection.violations, *extra)
    blamed = spec if blame else None
    return _show(inspection, violations, kernel.description, as_json, blamed)


def _inspect_core(
    core: Path,
    chosen: Path | None,
    moment: str | None,
    as_json: bool,
    what: Sequence[str],
    blame: bool,
) -> int:
    guest = load_guest(core, description_for_core(chosen))
    moment = moment or guest.moment
    _check_moment(moment, guest.kernel.description)
    seen = Observation(guest, moment, past=state_in_core)
    if what:
        return _show_view(seen, what, as_json)
    inspection = seen.inspection
    blamed = load_spec(core) if blame else None
    return _show(inspection, inspection.violations, guest.kernel.description, as_json, blamed)


def _show_view(seen: Observation, what: Sequence[str], as_json: bool) -> int:
    """Print one part of what a guest's memory manager believes."""
    answer = find_view(what[0]).answer(seen, what[1:])
    click.echo(json.dumps(answer.json, indent=1) if as_json else answer.text)
    return EXIT_FINDINGS if answer.findings else EXIT_GOOD


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
            figures_text(inspection),
            verdict_text(inspection.state, violations, about),
        ]
    )
