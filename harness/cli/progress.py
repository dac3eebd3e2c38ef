"""Progress of long work: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

_LINE_SECONDS = 5.0


class ProgressConsole(Console):
    """Standard error; when its reader goes, the work goes on unseen."""

    def on_broken_pipe(self) -> None:
        """Say nothing any more."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


@dataclass
class ShownProgress:
    """How far some work is, on standard error."""

    what: str
    total: int
    console: Console
    bar: Progress | None
    lines: bool
    done: int = 0
    next_line: float = field(default_factory=lambda: time.monotonic() + _LINE_SECONDS)

    def advance(self) -> None:
        """Count one piece of the work as done."""
        self.done += 1
        if self.bar is not None:
            self.bar.advance(self.bar.task_ids[0])
        elif self.lines and time.monotonic() >= self.next_line:
            self.say(f"harness: {self.what}: {self.done} of {self.total}")
            self.next_line = time.monotonic() + _LINE_SECONDS

    def say(self, text: str) -> None:
        """Print text above the bar."""
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)


@contextmanager
def shown_progress(what: str, total: int, quiet: bool) -> Iterator[ShownProgress]:
    """Show progress while the ``with`` block runs; ``quiet`` for not at all."""
    console = ProgressConsole(stderr=True)
    if quiet or not sys.stderr.isatty():
        yield ShownProgress(what, total, console, bar=None, lines=not quiet)
        return
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        bar.add_task(what, total=total)
        yield ShownProgress(what, total, console, bar=bar, lines=False)
