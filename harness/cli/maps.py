"""``harness maps``: the library of real memory maps, and a closer look at any map."""

from __future__ import annotations

import click
from rich.table import Table

from harness.cli.options import find_maps, parse_size
from harness.cli.tables import print_table
from harness.maps import library
from harness.maps.json_form import format_json
from harness.maps.notation import format_compact
from harness.maps.scale import scale
from harness.report.map_text import map_text
from harness.report.units import about


@click.group()
def maps() -> None:
    """Look at memory maps: the library's, a file's, or one in the compact notation."""


@maps.command("list")
def list_() -> None:
    """List the library of real firmware maps."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("name", no_wrap=True)
    table.add_column("entries", justify="right")
    table.add_column("usable", justify="right", no_wrap=True)
    table.add_column("note", overflow="fold")
    for memory_map in library.all_maps():
        usable = about(memory_map.usable_bytes)
        table.add_row(memory_map.name, str(len(memory_map.entries)), usable, memory_map.note)
    print_table(table)


@maps.command()
@click.argument("names", metavar="NAME|FILE|NOTATION…", nargs=-1, required=True)
@click.option("--memory", "memory", metavar="SIZE", help="Scale into this much RAM first.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["picture", "compact", "json"]),
    default="picture",
    show_default=True,
)
def show(names: tuple[str, ...], memory: str | None, form: str) -> None:
    """Show maps: as the firmware gave them, and what is usable in them.

    \b
    Examples:
      harness maps show ibm-calgary-x366-2.6.18
      harness maps show dmesg.txt --memory 64M
      harness maps show all --format json
    """
    found = find_maps(names)
    if memory is not None:
        found = [scale(memory_map, parse_size(memory)) for memory_map in found]
    if form == "json":
        click.echo(format_json(found))
    else:
        shown = map_text if form == "picture" else format_compact
        click.echo("\n\n".join(shown(memory_map) for memory_map in found))
