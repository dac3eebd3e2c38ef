"""Verify many machines, in processes of their own, each with its own warm machines."""

from __future__ import annotations

import functools
from collections.abc import Generator, Sequence

from harness.check.verdict import Verdict
from harness.check.verify import verify
from harness.machine.spec import MachineSpec
from harness.machine.workers import share_out


def verify_all(
    specs: Sequence[MachineSpec], jobs: int | None = None, thorough: bool = False
) -> Generator[tuple[int, Verdict], None, None]:
    """Yield the index of each machine and its verdict, in the order in which they end.

    See :func:`harness.machine.workers.share_out`. Raise what :func:`verify` raises.
    """
    return share_out(specs, functools.partial(verify, thorough=thorough), jobs)
