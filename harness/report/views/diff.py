"""``diff``: what has changed since an earlier state."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import asdict

from harness.check.difference import difference
from harness.check.observation import Observation
from harness.report.views.view import Answer, Parser, View


def _declare(parser: Parser) -> None:
    parser.add_argument(
        "mark", nargs="?", metavar="MARK", help="in gdb: of 'mm mark'; else a core's file"
    )


def show_diff(seen: Observation, options: Namespace) -> Answer:
    """Return the changes since the mark, or since the last stop, in words."""
    found = difference(seen.earlier(options.mark), seen.state)
    return Answer(str(found), [asdict(change) for change in found])


DIFF = View(
    name="diff",
    summary="Show what has changed since the last stop, or since a mark.",
    show=show_diff,
    declare=_declare,
    takes_mark=True,
)
