"""A failed test says what became of its machines, in sections of its report."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

import pytest

from harness.pytest_plugin.current import guests_of

if TYPE_CHECKING:
    from harness.check.checked_guest import CheckedGuest

MOST = 3
"""Machines of one test that are reported on: those that were booted last."""

_REPORTED = pytest.StashKey[bool]()
"""Of a test: whether its set-up or its body has failed, and a report was made."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add to the report of a failure while the machines are still as the test left them."""
    report = yield
    guests = guests_of(item)
    again = call.when == "teardown" and item.stash.get(_REPORTED, False)
    if report.failed and guests and not again:
        item.stash[_REPORTED] = True
        for number, guest in [*enumerate(guests, 1)][-MOST:]:
            name = "machine" if len(guests) == 1 else f"machine {number}"
            report.sections += _sections(item, name, guest)
    return report


def _sections(item: pytest.Item, name: str, guest: CheckedGuest) -> list[tuple[str, str]]:
    """Return title and text of each section about one guest."""
    from harness.pytest_plugin.artifacts import leave_artifacts
    from harness.pytest_plugin.machine_report import machine_report

    report = machine_report(item, guest)
    sections = {**report, "artifacts": leave_artifacts(item, name, guest, report)}
    return [(f"{name}: {title}", text) for title, text in sections.items() if text]
