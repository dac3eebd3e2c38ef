"""The table at the end of ``harness run``, and what is said of each finding."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable

from rich.table import Table
from rich.text import Text

from harness.check.verdict import Verdict
from harness.check.violation import Violation
from harness.machine.spec import MachineSpec
from harness.report.reproduce import command_line, left_out
from harness.report.units import about, milliseconds, size

_STYLES = {"good": "green", "refused": "yellow", "finding": "bold red"}
_MOST_VIOLATIONS = 10

About = Callable[[Violation], Iterable[str]]


def nothing_more(violation: Violation) -> tuple[str, ...]:
    """Have nothing to tell about a violation."""
    return ()


def run_table(verdicts: Iterable[Verdict], narrow: bool = False) -> Table:
    """Return one row a machine; ``narrow`` leaves out to whom frames are lost."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    # Only these two give way on a narrow terminal.
    table.add_column("map", overflow="fold")
    for heading, width in (("size", 5), ("path", 9), ("verdict", 7)):
        table.add_column(heading, min_width=width, no_wrap=True)
    for heading, width in (("time", 7), ("usable", 9), ("free", 9), ("largest", 9)):
        table.add_column(heading, justify="right", min_width=width, no_wrap=True)
    if not narrow:
        table.add_column("frames lost, to whom", overflow="fold")
    for verdict in verdicts:
        table.add_row(*_cells(verdict)[: len(table.columns)])
    return table


def _cells(verdict: Verdict) -> tuple[str | Text, ...]:
    spec, summary = verdict.spec, verdict.summary
    known = ("-", "-", "-", verdict.refusal or "-")
    if summary is not None:
        known = (
            about(summary.usable_bytes),
            about(summary.free_bytes),
            about(summary.largest_free_block),
            lost_text(summary.lost),
        )
    if verdict.ended == "running":
        message = verdict.ending.message
        known = ("-", "-", "-", f"only that it runs is known: {message}")
    return (
        _name(spec),
        size(spec.memory),
        spec.boot.value,
        Text(verdict.verdict, style=_STYLES[verdict.verdict]),
        milliseconds(verdict.seconds),
        *known,
    )


def _name(spec: MachineSpec) -> str:
    """Return the map's name and, where there are any, the words for the kernel."""
    name = spec.map.name or "(given)" if spec.map else "(plain PC)"
    return f"{name}, {spec.append}" if spec.append else name


def lost_text(lost: dict[str, int]) -> str:
    """Return the usable frames that are not free, by owner, the largest first."""
    by_size = sorted(lost.items(), key=lambda item: (-item[1], item[0]))
    total = sum(lost.values())
    return f"{total}: " + ", ".join(f"{owner} {count}" for owner, count in by_size if count)


def finding_text(verdict: Verdict, more: About = nothing_more) -> str:
    """Return everything that a person needs about one machine that went wrong.

    ``more`` gives lines to be told below a violation.
    """
    spec = verdict.spec
    name = spec.map.name or "(given)" if spec.map else "(plain PC)"
    lines = [f"FINDING  {name}, {size(spec.memory)}, {spec.boot.value}: ended {verdict.ended}"]
    for violation in itertools.islice(verdict.violations, _MOST_VIOLATIONS):
        lines.append(f"  {violation}")
        lines += [f"    {line}" for line in more(violation)]
    if len(verdict.violations) > _MOST_VIOLATIONS:
        lines.append(f"  … and {len(verdict.violations) - _MOST_VIOLATIONS} more (--json has all)")
    if not verdict.ending.alive:
        lines.append("  the console's last lines:")
        lines += [f"  | {line}" for line in verdict.ending.console_tail.splitlines()]
    lines.append(f"  reproduce: {command_line(spec, verdict.thorough)}")
    if missing := left_out(spec):
        lines.append(f"  (without {', '.join(missing)}, which the command line cannot say)")
    return "\n".join(lines)
