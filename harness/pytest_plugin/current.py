"""The test that is running, and the guests that were booted for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from harness.check.checked_guest import CheckedGuest

_ITEM = pytest.StashKey[pytest.Item]()
_GUESTS = pytest.StashKey[dict[object, "CheckedGuest"]]()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Note which test is running; it may be run again, as flaky ones are."""
    item.config.stash[_ITEM] = item
    item.stash[_GUESTS] = {}


def running_test(config: pytest.Config) -> pytest.Item | None:
    """Return the test that is running, None between tests."""
    return config.stash.get(_ITEM, None)


def guests_of(item: pytest.Item) -> tuple[CheckedGuest, ...]:
    """Return the guests of a test that can still be looked at, in the order of their boots."""
    return tuple(item.stash.get(_GUESTS, {}).values())


def note_guest(item: pytest.Item, pool: object, guest: CheckedGuest) -> None:
    """Take in that ``pool`` has booted ``guest`` for a test."""
    item.stash[_GUESTS][pool] = guest


def forget_guests(item: pytest.Item) -> None:
    """Take in that all guests of a test are valid no more."""
    item.stash[_GUESTS].clear()


def forget_guest(item: pytest.Item, pool: object) -> None:
    """Take in that the guest of ``pool`` is valid no more."""
    item.stash[_GUESTS].pop(pool, None)
