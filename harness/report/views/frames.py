"""``frames``: who has which frames."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator

from harness.check.known_frames import frame_table_words
from harness.check.observation import Observation
from harness.check.ownership import OwnedFrames, owned_frames
from harness.check.runs import FRAME_SIZE, outward
from harness.report.state_text import frame_table_text
from harness.report.units import about
from harness.report.views.lines import bounded, faults_text
from harness.report.views.spans import span_argument, span_of
from harness.report.views.view import Answer, Parser, View


def _declare(parser: Parser) -> None:
    span_argument(parser, "physical addresses")
    parser.add_argument("--each", action="store_true", help="a line for each frame")


def show_frames(seen: Observation, options: Namespace) -> Answer:
    """Return the owners of frames, those with the same as one, and the frame table's words."""
    found = seen.inspection
    span = span_of(seen, options.span)
    everything = range(len(found.ledger.owners))
    runs = list(owned_frames(found, everything if span is None else outward(span)))
    if options.each:
        runs = [part for run in runs for part in _each(run)]
    lines = [] if found.state.frame_table is None else [frame_table_text(found.state.frame_table)]
    lines += bounded((_line(seen, run) for run in runs), "runs of frames")
    if not runs:
        lines.append("there are no frames here")
    lines += faults_text(found.state, ("frame table", "held"))
    json = [{"first": run.first, "end": run.end, "owners": list(run.owners)} for run in runs]
    return Answer("\n".join(lines), json)


def _each(run: OwnedFrames) -> Iterator[OwnedFrames]:
    for frame in range(run.first, run.end):
        yield OwnedFrames(frame, frame + 1, run.owners)


def _line(seen: Observation, run: OwnedFrames) -> str:
    start, end = run.first * FRAME_SIZE, run.end * FRAME_SIZE
    line = f"  {start:#010x}-{end:#010x}  {run.count:>7} frames  {about(run.size):>10}  {run.words}"
    words = frame_table_words(seen.inspection, run.first) if run.count == 1 else None
    return f"{line}; frame table: {words}" if words else line


FRAMES = View(
    name="frames",
    summary="Show who has which frames of physical memory.",
    details="Owners come from every structure that was decoded; nobody's frames are lost.",
    show=show_frames,
    declare=_declare,
    takes_address=True,
)
