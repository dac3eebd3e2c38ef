"""What a campaign has its workers do, wherever they are."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path

from harness.fuzz.attempt import Attempt, attempt
from harness.fuzz.case import Case
from harness.fuzz.finding import Finding, write_finding
from harness.fuzz.shrink import MOST_BOOTS, shrink
from harness.image.kernel_image import KernelImage
from harness.machine.pool import Pool
from harness.machine.workers import WorkerLost


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


def do(job: Job, kernel: KernelImage, pool: Pool) -> Result:
    """Do one job; raise what booting a machine raises, and ``OSError``."""
    if isinstance(job, Case):
        return attempt(job, kernel, pool)
    return make_smaller(job, kernel, pool)


def make_smaller(job: Shrink, kernel: KernelImage, pool: Pool) -> Finding:
    """Make a case smaller and write the finding down; raise like :func:`do`."""
    group = job.first.group

    def shows_bug(case: Case) -> bool:
        return attempt(case, kernel, pool).group == group

    shrunk = shrink(job.first.case, shows_bug, job.most)
    again = attempt(shrunk.case, kernel, pool)
    finding = Finding(str(group), job.first, shrunk, again, job.seconds)
    write_finding(job.folder, finding, kernel, pool)
    return finding
