"""``harness blame``: who wrote a word of memory."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import click

from harness.cli.exit_codes import EXIT_GOOD
from harness.cli.options import Selection, machine_options, type_option
from harness.debug.blame import blame as find_writers
from harness.debug.blame_text import blame_json, blame_text
from harness.debug.course import Course, record_course
from harness.debug.place import NoPlace, physical_of
from harness.image.errors import UnknownName
from harness.machine.errors import SpecError
from harness.machine.guest import Guest
from harness.machine.recording import Recording, replay, run_to
from harness.machine.recording_file import is_recording, load_recording
from harness.machine.saved_spec import load_spec


@click.command()
@machine_options
@click.argument("words", nargs=-1, required=True, metavar="[SPEC] ADDRESS")
@click.option("--physical", is_flag=True, help="ADDRESS is physical, also where it is mapped.")
@type_option
@click.option("--until", metavar="SYMBOL", help="Go only until this function is entered.")
@click.option("--all", "everything", is_flag=True, help="Show all writes, with who called.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def blame(
    selection: Selection,
    words: tuple[str, ...],
    physical: bool,
    commands: tuple[str, ...],
    until: str | None,
    everything: bool,
    as_json: bool,
) -> int:
    """Boot one machine, and tell who wrote a word of its memory: the last writer first.

    ADDRESS is a number, a symbol or a C expression such as '&zones[0]': a virtual address, as the
    page tables map it at the end, or a physical one. SPEC is a spec.json, as failing tests leave
    it, or a core, of the machine to boot; without it the flags say which. A recording of 'harness
    boot --record' in its place is replayed, with all that was typed.

    \b
    Examples:
      harness blame --memory 64M '&zones[1].free_frames'
      harness blame --memory 64M --type 'alloc 3' --physical 0x13a004
      harness blame failed/spec.json 0xc0400018
    """
    if len(words) > 2:
        raise click.UsageError("one ADDRESS, quoted if it has blanks, behind at most one SPEC")
    if until is not None and commands:
        raise click.UsageError("--until stops before the kernel takes commands: no --type then")
    address, course = words[-1], Course(until, commands)
    try:
        recording, word = _record(
            selection, words[:-1], course, lambda guest: physical_of(guest, address, physical)
        )
    except NoPlace as error:
        raise SpecError(str(error)) from None
    except UnknownName as error:
        raise SpecError(f"cannot go until {until}: {error}") from None
    found = find_writers(recording, [word])
    click.echo(
        json.dumps(blame_json(found), indent=1) if as_json else blame_text(found, everything)
    )
    return EXIT_GOOD


def _record(
    selection: Selection, saved: tuple[str, ...], course: Course, look: Callable[[Guest], int]
) -> tuple[Recording, int]:
    """Return a recording of the machine that was asked for, and what is seen at its end."""
    if not saved:
        return record_course(selection.machine(selection.load_kernel()), course, look)
    if not selection.is_default:
        raise click.UsageError("SPEC names the machine: no flags about a machine to boot then")
    path = Path(saved[0])
    if not is_recording(path):
        return record_course(load_spec(path), course, look)
    if course != Course():
        raise click.UsageError(
            f"{path} is a recording: it goes on as it did, without --type, --until"
        )
    recording = load_recording(path)
    with replay(recording) as guest:
        run_to(guest, recording.length)
        return recording, look(guest)
