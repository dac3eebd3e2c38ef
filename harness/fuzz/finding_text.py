"""A finding in words, for somebody who has never seen the campaign."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.check.violation import Violation
from harness.fuzz.case_words import case_in_words, machine_in_words
from harness.image.kernel_image import KernelImage
from harness.report.map_text import map_text
from harness.report.reproduce import program

if TYPE_CHECKING:
    from harness.fuzz.finding import Finding

WIDTH = 96
MOST_VIOLATIONS = 10
PROPERTIES = {
    "V1": "nothing but whole frames of usable RAM is ever free or given out",
    "V2": "what must survive is never free",
    "V3": "nothing is lost",
    "V4": "no frame and no byte has two owners",
    "V5": "records are well formed",
    "V6": "a counter equals what it counts",
    "V7": "the page tables map exactly what was promised, with exactly those rights",
    "V8": "the CPU does what the tables say",
    "V9": "what was written into a live block is still there",
    "V10": "a boot ends, and without an unexpected fault",
    "V11": "the interface keeps its word",
}
"""What must be true of a memory manager, as in ``docs/invariants.md``."""


def finding_text(
    finding: Finding,
    folder: Path,
    kernel: KernelImage,
    blamed: Mapping[Violation, Sequence[str]],
    notes: Iterable[str],
) -> str:
    """Return a finding in words: what is wrong, who wrote it, on which machine, and what to do.

    ``blamed`` tells of violations who is to blame; ``notes`` say what could not be had.
    """
    heading = finding.group
    parts = [
        [heading, "=" * min(len(heading), WIDTH)],
        textwrap.wrap(_paragraph(finding, kernel), WIDTH),
        _section("What is wrong:", _violations(finding, blamed)),
        _section("Where the kernel was, innermost first:", map(str, finding.attempt.backtrace)),
        _section("The machine:", machine_in_words(finding.attempt.case)),
        _section("Its map, drawn in map.svg with what lies there:", _map(finding)),
        _section(f"What to do with it, in {folder.absolute()}:", _commands(folder)),
        _section("Note:", notes),
    ]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def _section(title: str, lines: Iterable[str]) -> list[str]:
    """Return the title with the lines below it; nothing without lines."""
    below = [f"  {line}" for line in lines]
    return [title, *below] if below else []


def _paragraph(finding: Finding, kernel: KernelImage) -> str:
    attempted = finding.attempt
    when = f"after {finding.seconds:.1f} s" if finding.seconds else "in an earlier session"
    if not finding.shown_again:
        boots = finding.shrunk.boots
        tried = f"after {boots} others had been tried" if boots else "so nothing was made smaller"
        return (
            f"A campaign saw this {when}, on a machine with {case_in_words(attempted.case)}. That "
            f"machine did not show it again, {tried}: it may depend on when interrupts come, on "
            "how fast the host is, or on another kernel."
        )
    violations = finding.violations
    sentences = [f"{_what_happened(finding, kernel)} with {case_in_words(attempted.case)}."]
    if violations:
        first = violations[0]
        sentences.append(f"{_sentence(_short(first))}.")
        broken = [f"{name} ({PROPERTIES[name]})" for name in first.properties if name in PROPERTIES]
        if broken:
            sentences.append(f"That breaks {' and '.join(broken)}.")
        if more := len(violations) - 1:
            others = "1 other thing is" if more == 1 else f"{more} other things are"
            sentences.append(f"{others} wrong with it, which may follow from the same.")
    sentences.append(
        f"A campaign saw it first {when}, on the machine in first-case.json, and tried "
        f"{finding.shrunk.boots} smaller ones: this is the smallest on which the same is wrong."
    )
    return " ".join(sentences)


def _what_happened(finding: Finding, kernel: KernelImage) -> str:
    what = "boots, and its memory manager is wrong"
    if finding.attempt.operated:
        what = "boots, and goes wrong when memory is asked for and given back"
    elif finding.group.startswith("ending."):
        what = "does not get through its boot"
    return f"The kernel {kernel.path.name} {what}, on a machine"


def _short(violation: Violation) -> str:
    """Return the message without a backtrace, which stands by itself."""
    return violation.message.partition("; at 0x")[0]


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:].rstrip(".")


def _violations(finding: Finding, blamed: Mapping[Violation, Sequence[str]]) -> Iterator[str]:
    violations = finding.violations
    for violation in violations[:MOST_VIOLATIONS]:
        yield f"{violation.kind}: {_short(violation)}"
        yield from (f"  {line}" for line in blamed.get(violation, ()))
    if len(violations) > MOST_VIOLATIONS:
        yield f"… and {len(violations) - MOST_VIOLATIONS} more, which a replay shows"


def _map(finding: Finding) -> list[str]:
    return textwrap.dedent("\n".join(map_text(finding.attempt.case.map).splitlines()[1:])).split(
        "\n"
    )


def _commands(folder: Path) -> Iterator[str]:
    known = {
        "replay case.json": "boots it again",
        "replay case.json --boot multiboot": "another way into memory, for a second opinion",
        "replay case.json --blame": "tells who wrote the words that are wrong",
        "inspect --core memory.core": "shows what the kernel believed",
    }
    for words, what in known.items():
        if "memory.core" in words and not (folder / "memory.core").exists():
            continue
        yield f"{shlex.join([program(), *words.split()])}  # {what}"
    yield f"{shlex.quote(program('pytest'))} test_finding.py  # fails until the bug is gone"
