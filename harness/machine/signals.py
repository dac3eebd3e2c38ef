"""Moments at which no signal may ask this process to stop."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator

STOPS = frozenset({signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
"""What a user or a parent stops a process with; Python turns each into an exception."""


@contextlib.contextmanager
def stops_wait() -> Iterator[None]:
    """Let signals that ask this thread to stop wait until the end of the block.

    A process that is started meanwhile heeds none of them, for good.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
