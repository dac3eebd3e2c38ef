"""``docs/planted-bugs.md``: what became of the search for each planted bug."""

from __future__ import annotations

from collections.abc import Collection
from statistics import median

from harness.report.units import size
from tests.fuzz.outcome import Outcome
from tests.fuzz.plants import SECTIONS, plants

_HEAD = """# Planted bugs

What `harness fuzz` finds, and how small its answers are. Each bug is a defect that published
memory managers had, planted alone in a copy of the bundled kernel;
[`plants.toml`](../tests/fuzz/plants.toml) has them as replacements in its source. A campaign with
one job and {way} then runs until its first finding is shrunk. This page is written by

    python -m tests.fuzz.planted --table docs/planted-bugs.md

Cases are what to compare: seconds depend on the machine and on what else it does. With one job and
the same seed the cases are the same each time. Every other of the first {plain} is a plain PC
with a command line of the kernel's description, with and without a tape, or with another CPU.

{summary}

Entries, operations and RAM are those of the smallest case that still shows the bug, boots what it
took to find that one. "Breaks" are [properties](invariants.md).
"""
_COLUMNS = "| bug | breaks | cases | seconds | found as | entries | operations | RAM | boots |"
_RULE = "| --- | --- | --: | --: | --- | --: | --: | --: | --: |"
MOST_ENTRIES = 3
MOST_OPERATIONS = 5


def page(outcomes: Collection[Outcome], plain: int) -> str:
    """Return the page in Markdown; ``plain`` seeds come first in each campaign."""
    known = {outcome.plant.name: outcome for outcome in outcomes}
    ways = {outcome.way for outcome in outcomes}
    way = " or ".join(f"seed {one.seed}, at most {one.seconds:g} s," for one in ways)
    parts = [_HEAD.format(way=way, plain=plain, summary=_summary(outcomes))]
    for section, name in SECTIONS.items():
        rows = [
            _row(known[one.name])
            for one in plants()
            if one.section == section and one.name in known
        ]
        if rows:
            parts.append(
                "\n".join([f"## {name[0].upper()}{name[1:]}", "", _COLUMNS, _RULE, *rows, ""])
            )
    return "\n".join(parts)


def _summary(outcomes: Collection[Outcome]) -> str:
    found = [outcome for outcome in outcomes if outcome.group is not None]
    if not found:
        return f"Of {len(outcomes)} bugs none was found."
    small = sum(map(is_small, found))
    return (
        f"Of {len(outcomes)} bugs {len(found)} were found, half of them within "
        f"{median(outcome.cases for outcome in found):g} cases and "
        f"{median(outcome.seconds for outcome in found):.1f} s.\n{small} answers have at most "
        f"{MOST_ENTRIES} map entries and at most {MOST_OPERATIONS} operations; half of all took\n"
        f"at most {median(outcome.boots for outcome in found):g} boots to shrink."
    )


def is_small(outcome: Outcome) -> bool:
    """Return whether a person sees at once what a shrunk case does."""
    return outcome.entries <= MOST_ENTRIES and outcome.operations <= MOST_OPERATIONS


def _row(outcome: Outcome) -> str:
    plant = outcome.plant
    cells = [f"{plant.defect} (`{plant.name}`)", plant.breaks.replace(" ", ", ")]
    if outcome.group is None:
        cells += [f"> {outcome.cases}", f"> {outcome.seconds:.0f}", "not found", "", "", "", ""]
    else:
        cells += [
            *(str(outcome.cases), f"{outcome.seconds:.1f}", _short(outcome.group)),
            *(str(outcome.entries), str(outcome.operations), size(outcome.memory)),
            str(outcome.boots),
        ]
    return "| " + " | ".join(cells) + " |"


def _short(group: str) -> str:
    """Return a finding's group: its kind as code, what is too long for a table cut off."""
    kind, _, rest = group.replace("|", "/").partition(" ")
    kind = kind.rstrip(":")
    return f"`{kind}` {rest}" if len(rest) <= 60 else f"`{kind}` {rest[:60].rsplit(' ', 1)[0]} …"
