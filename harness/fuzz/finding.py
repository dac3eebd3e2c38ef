"""A finding as a folder: all that somebody needs who has never seen the campaign.

In it are ``case.json`` and ``first-case.json``, ``test_finding.py``, which fails as long as the bug
is there, ``finding.txt``, ``console.log`` and ``memory.core``.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.fuzz.attempt import Attempt
from harness.fuzz.case import Case
from harness.fuzz.case_file import CaseFile, case_text, load_case
from harness.fuzz.shrink import Shrunk
from harness.image.kernel_image import KernelImage
from harness.machine.pool import Pool
from harness.report.files import write_atomically
from harness.report.map_text import map_text
from harness.report.reproduce import program
from harness.report.units import size
from harness.workload.operation import in_words, operations

CASE = "case.json"
FIRST = "first-case.json"
_TEST = '''"""{summary}"""

from pathlib import Path

from harness.fuzz.attempt import attempt
from harness.fuzz.case_file import load_case


def test_this_finding_is_mended(kernel, pool):
    case = load_case(Path(__file__).with_name("{case}")).case
    violations = attempt(case, kernel, pool).violations
    assert not violations, "\\n".join(str(violation) for violation in violations)
'''


@dataclass(frozen=True)
class Finding:
    """A bug: the first case that showed it, shrunk, and what is wrong there."""

    group: str
    first: Attempt
    shrunk: Shrunk
    attempt: Attempt
    """Of the shrunk case."""
    seconds: float
    """From the campaign's start to its first case."""


def note_finding(folder: Path, first: Attempt, kernel: KernelImage) -> None:
    """Write down that a case shows a bug, before anything is known of it. Raise ``OSError``."""
    folder.mkdir(exist_ok=True)
    write_atomically(folder / FIRST, case_text(first.case, kernel, first.group))


def known_groups(findings: Path) -> set[str]:
    """Return the groups of all findings that were ever noted; raise :class:`CaseError`."""
    return {str(load_case(path).group) for path in findings.glob(f"*/{FIRST}")}


def unfinished(findings: Path) -> Iterator[tuple[Path, CaseFile]]:
    """Yield folder and first case of what was noted and then not made smaller."""
    for path in sorted(findings.glob(f"*/{FIRST}")):
        if not (path.parent / CASE).exists():
            yield path.parent, load_case(path)


def write_finding(folder: Path, finding: Finding, kernel: KernelImage, pool: Pool) -> None:
    """Complete the folder of a finding that was noted; boots its case once more for the core.

    ``case.json`` comes last, so that a folder with one is complete. Raise ``OSError``.
    """
    case = finding.attempt.case
    summary = finding.group.replace("\\", "").replace('"', "'")
    write_atomically(folder / "test_finding.py", _TEST.format(summary=summary, case=CASE))
    write_atomically(folder / "finding.txt", finding_text(finding, folder))
    with pool.boot(case.spec(kernel)) as guest:
        guest.run_until_ready()
        write_atomically(folder / "console.log", guest.console.log.text())
        guest.save_core(folder / "memory.core")
    write_atomically(folder / CASE, case_text(case, kernel, finding.group))


def finding_text(finding: Finding, folder: Path) -> str:
    """Return a finding in words, with its machine drawn."""
    violations = finding.attempt.violations or finding.first.violations
    shown = [f"  {violation}" for violation in violations]
    replay = shlex.join([program(), "replay", str(folder / CASE)])
    return "\n".join(
        [
            finding.group,
            "",
            f"First seen after {finding.seconds:.1f} s; made smaller in "
            f"{finding.shrunk.boots} boots to {case_in_words(finding.attempt.case)}.",
            "",
            *shown,
            "",
            map_text(finding.attempt.case.map),
            "",
            f"again: {replay}",
            "",
        ]
    )


def case_in_words(case: Case) -> str:
    """Return what a person would say a case is."""
    entries = len(case.map.entries)
    words = [f"{size(case.memory)} of RAM, {entries} map entr{'y' if entries == 1 else 'ies'}"]
    if case.modules:
        lengths = ", ".join(str(len(module.data)) for module in case.modules)
        words.append(f"modules of {lengths} bytes")
    if case.append:
        words.append(f"the command line {case.append!r}")
    if case.shape != type(case.shape)():
        words.append("an unusual form of the boot information")
    if case.steps:
        done = ", ".join(in_words(one) for one in operations(case.steps)[:5])
        words.append(f"{len(case.steps)} operations ({done})")
    return "; ".join(words)
