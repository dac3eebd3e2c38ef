"""What a campaign has its workers do, wherever they are."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path

from harness.cover.blocks import Blocks
from harness.fuzz.attempt import Attempt, attempt
from harness.fuzz.case import Case
from harness.fuzz.finding import Finding, write_finding
from harness.fuzz.shrink import MOST_BOOTS, Shrunk, shrink
from harness.fuzz.subject import Source, Subject
from harness.machine.guest import BOOT_TIMEOUT
from harness.machine.pool import Pool
from harness.machine.workers import WorkerLost

HANG = "ending.hang"
HANG_TIMEOUT = 1.0
"""CPU seconds that a kernel which hangs gets while its case is made smaller: a hundred times what a
boot takes. The result gets all of :data:`harness.machine.guest.BOOT_TIMEOUT`."""
HANG_BOOTS = 60
"""For its case; each takes a second or two."""


@dataclass(frozen=True)
class Shrink:
    """A case to make smaller, and where to write it down."""

    first: Attempt
    seconds: float
    folder: Path
    most: int = MOST_BOOTS
    """Boots that it may take."""


@dataclass(frozen=True)
class Note:
    """Something about the workers that a person should know."""

    text: str


Job = Case | Shrink
Result = Attempt | Finding
Done = tuple[Job, Result | WorkerLost]
Ask = Callable[[], Job | None]
"""Gives what to do next; None: nothing now, and nothing more once all that was given is done."""
Results = Generator[Done | Note, None, None]
"""What has become of the jobs, as they end; closing it ends the work."""


def do(job: Job, subject: Subject, pool: Pool) -> Result:
    """Do one job; raise what booting a machine raises, and ``OSError``."""
    _observe(subject, pool)
    if isinstance(job, Case):
        return attempt(job, subject.kernel, pool)
    return _make_smaller(job, subject, pool)


def _observe(subject: Subject, pool: Pool) -> None:
    """Have QEMU tell the pool of the subject's blocks, if that is wanted, and of no other's."""
    wanted = subject.kernel if subject.source is Source.QEMU else None
    before = pool.observer
    if wanted is (before.kernel if isinstance(before, Blocks) else None):
        return
    pool.close()
    if isinstance(before, Blocks):
        before.close()
    pool.observer = None if wanted is None else Blocks(wanted)


def _make_smaller(job: Shrink, subject: Subject, pool: Pool) -> Finding:
    group = job.first.group
    kernel = subject.plain or subject.kernel
    timeout = HANG_TIMEOUT if _hangs(job.first) else BOOT_TIMEOUT

    def shows_bug(case: Case) -> bool:
        return attempt(case, kernel, pool, timeout=timeout).group == group

    shown = shows_bug(job.first.case)
    if not shown and subject.plain is not None:
        kernel = subject.kernel  # it is larger and slower: not all that it shows the other does
        shown = shows_bug(job.first.case)
    most = min(job.most, HANG_BOOTS) if _hangs(job.first) else job.most
    shrunk = shrink(job.first.case, shows_bug, most) if shown else Shrunk(job.first.case, 0)
    again = attempt(shrunk.case, kernel, pool)
    if _hangs(job.first) and not _hangs(again):
        # Something smaller is slow only, and gets ready in the end.
        shrunk = Shrunk(job.first.case, shrunk.boots)
        again = attempt(shrunk.case, kernel, pool)
    finding = Finding(str(group), job.first, shrunk, again, job.seconds)
    write_finding(job.folder, finding, kernel, pool)
    return finding


def _hangs(attempt: Attempt) -> bool:
    return (attempt.group or "").startswith(HANG)  # all that is known of one that was only noted
