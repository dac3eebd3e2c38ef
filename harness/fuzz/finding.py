"""A finding as a folder: all that somebody needs who has never seen the campaign.

In it are ``case.json`` and ``first-case.json``, ``test_finding.py``, which fails as long as the bug
is there, ``finding.txt``, ``map.svg``, ``console.log`` and ``memory.core``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.check.violation import Violation
from harness.fuzz.attempt import Attempt, attempt
from harness.fuzz.case_file import CaseError, CaseFile, case_text, load_case
from harness.fuzz.culprit import blame_case, why_not_blamed
from harness.fuzz.finding_text import finding_text
from harness.fuzz.picture import machine_picture
from harness.fuzz.shrink import Shrunk
from harness.fuzz.store import write_new, written_to
from harness.image.kernel_image import KernelImage
from harness.machine.errors import MachineError
from harness.machine.guest import Guest
from harness.machine.pool import Pool
from harness.ram.protocol import RamError
from harness.report.files import write_atomically

CASE = "case.json"
FIRST = "first-case.json"
TEST, TEXT, PICTURE = "test_finding.py", "finding.txt", "map.svg"
CONSOLE, CORE = "console.log", "memory.core"
_MOVE_AWAY = "move its folder out of the campaign, and go on with --resume"
_TEST = '''"""{summary}"""

from pathlib import Path

from harness.fuzz.attempt import attempt
from harness.fuzz.case_file import load_case


def test_this_finding_is_mended(kernel, pool):
    case = load_case(Path(__file__).with_name("{case}")).case
    found = attempt(case, kernel, pool)
    assert found.word is not None, f"this machine cannot be: {{found.impossible}}"
    assert not found.violations, "\\n".join(str(violation) for violation in found.violations)
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

    @property
    def shown_again(self) -> bool:
        """Whether the shrunk case showed the bug when it was booted at last."""
        return self.attempt.group == self.group

    @property
    def violations(self) -> tuple[Violation, ...]:
        """What is wrong: with the shrunk case, or with the first if only that showed it."""
        first = self.first.violations
        return self.attempt.violations if self.shown_again or not first else first


def note_finding(
    folder: Path,
    first: Attempt,
    kernel: KernelImage,
    write: Callable[[Path, str], None] = write_new,
) -> None:
    """Write down that a case shows a bug, before anything is known of it.

    ``write`` may be :meth:`harness.fuzz.store.Store.write`; raise what that does.
    """
    write(folder / FIRST, case_text(first.case, kernel, first.group))


def known_groups(findings: Path) -> set[str]:
    """Return the groups of all findings that were ever noted; raise :class:`CaseError`."""
    return {str(_noted(path).group) for path in findings.glob(f"*/{FIRST}")}


def unfinished(findings: Path) -> Iterator[tuple[Path, CaseFile]]:
    """Yield folder and first case of what was noted and then not made smaller."""
    for path in sorted(findings.glob(f"*/{FIRST}")):
        if not (path.parent / CASE).exists():
            yield path.parent, _noted(path)


def _noted(path: Path) -> CaseFile:
    found = load_case(path, _MOVE_AWAY)
    if found.group is None:
        raise CaseError(f"{path} does not say what is wrong; {_MOVE_AWAY}")
    return found


def write_finding(folder: Path, finding: Finding, kernel: KernelImage, pool: Pool) -> None:
    """Complete the folder of a finding that was noted; boots its case again for what it shows.

    ``case.json`` makes the folder complete. Only then somebody is looked for to blame: it takes
    longer than all else, and the finding must not depend on it. Raise :class:`CannotWrite`.
    """
    with written_to(folder):
        _write(folder, finding, kernel, pool)


def _write(folder: Path, finding: Finding, kernel: KernelImage, pool: Pool) -> None:
    case = finding.attempt.case
    summary = finding.group.replace("\\", "").replace('"', "'")
    write_atomically(folder / TEST, _TEST.format(summary=summary, case=CASE))
    notes = _look_again(folder, finding, kernel, pool)
    why_not = why_not_blamed(case, kernel, finding.violations)
    unknown = f"nobody is blamed: {why_not or 'that took too long, or was interrupted'}"
    write_atomically(folder / TEXT, finding_text(finding, folder, kernel, {}, [*notes, unknown]))
    write_atomically(folder / CASE, case_text(case, kernel, finding.group))
    if why_not is None:
        _blame(folder, finding, kernel, notes)


def _look_again(folder: Path, finding: Finding, kernel: KernelImage, pool: Pool) -> list[str]:
    """Leave what a boot of the case shows; return what could not be had."""
    missing = []

    def look(guest: Guest) -> None:
        violations = finding.violations
        drawn = machine_picture(finding.group, guest, violations)
        write_atomically(folder / PICTURE, drawn)
        write_atomically(folder / CONSOLE, guest.console.log.text())
        try:
            guest.save_core(folder / CORE)
        except MachineError as error:
            missing.append(f"there is no {CORE}: {error}")

    if attempt(finding.attempt.case, kernel, pool, look).group != finding.group:
        missing.append("not every boot shows it: one more, for the console and the core, did not")
    return missing


def _blame(folder: Path, finding: Finding, kernel: KernelImage, notes: list[str]) -> None:
    blamed: dict[Violation, list[str]] = {}
    try:
        blamed = blame_case(finding.attempt.case, kernel, finding.violations)
    except (MachineError, RamError) as error:
        notes = [*notes, f"nobody is blamed: {error}"]
    write_atomically(folder / TEXT, finding_text(finding, folder, kernel, blamed, notes))
