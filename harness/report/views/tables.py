"""``tables``: what the page tables map, as ranges or level by level."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from dataclasses import asdict

from harness.check.observation import Observation
from harness.decode.table_entries import Entries, table_entries
from harness.report.ranges import MappedRange, mapped_ranges
from harness.report.state_text import range_text, tables_heading
from harness.report.views.lines import bounded
from harness.report.views.rights_filter import HELP, rights_filter
from harness.report.views.spans import span_argument, span_of
from harness.report.views.view import Answer, BadArguments, Parser, View


def _declare(parser: Parser) -> None:
    span_argument(parser, "virtual addresses")
    parser.add_argument(
        "--each-level", action="store_true", help="every present entry, beside its table's"
    )
    parser.add_argument("--sort", choices=("virtual", "physical"), default="virtual")
    parser.add_argument("--filter", default="", metavar="RIGHTS", help=HELP)


def show_tables(seen: Observation, options: Namespace) -> Answer:
    """Return the mapped ranges with their effective rights, or the entries themselves."""
    within = span_of(seen, options.span)
    heading = tables_heading(seen.tables, seen.control)
    faults = [f"  {fault.message}" for fault in seen.tables.faults]
    faults = ["what does not add up:", *faults] if faults else []
    if options.each_level:
        if options.filter or options.sort != "virtual":
            raise BadArguments("tables: --each-level takes neither --sort nor --filter")
        found = list(table_entries(seen.guest.ram, seen.control, within))
        lines = bounded(map(_entry_text, found), "entries")
        return Answer("\n".join([heading, *lines, *faults]), [asdict(one) for one in found])
    wanted = rights_filter(options.filter)
    ranges = [one for one in mapped_ranges(seen.tables) if wanted(one) and _meets(one, within)]
    if options.sort == "physical":
        ranges.sort(key=lambda mapped: (mapped.physical, mapped.start))
    lines = bounded((f"  {range_text(mapped)}" for mapped in ranges), "ranges")
    return Answer("\n".join([heading, *lines, *faults]), list(_json(ranges)))


def _meets(mapped: MappedRange, within: range | None) -> bool:
    return within is None or (mapped.start < within.stop and mapped.end > within.start)


def _json(ranges: list[MappedRange]) -> Iterator[dict[str, object]]:
    for mapped in ranges:
        yield {**asdict(mapped), "rights": mapped.rights}


def _entry_text(found: Entries) -> str:
    bits = found.bits
    where = f"{found.virtual:#010x}-{found.end - 1:#010x}"
    count = f" ({found.count} entries)" if found.count > 1 else ""
    kind = "pages" if found.count > 1 else "page" if bits.page else "table"
    flags = " ".join(bit.name for bit in bits.bits if bit.width == 1 and bit.value)
    reserved = f", reserved but set: {bits.reserved}" if bits.reserved else ""
    return (
        f"{'  ' * (found.depth + 1)}{bits.name} {where}{count}: {found.entry:#x} at physical "
        f"{found.address:#x}, {kind} at {bits.target:#010x}, {flags}{reserved}"
    )


TABLES = View(
    name="tables",
    summary="Show what the page tables map, as ranges with their effective rights.",
    details=(
        "Rights are r w x u g: readable, writable, executable, user, global. Each range is\n"
        "virtual -> physical; with --each-level the entries stand there as they are, those of one\n"
        "table that follow one another as one."
    ),
    show=show_tables,
    declare=_declare,
    takes_address=True,
)
