"""The test that is running, and the guests that were booted for it."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from harness.check.checked_guest import CheckedGuest

_ITEM = pytest.StashKey[pytest.Item]()
_GUESTS = pytest.StashKey[dict[object, "CheckedGuest"]]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None]:
    """Note which test is running."""
    item.config.stash[_ITEM] = item
    return (yield)


def running_test(config: pytest.Config) -> pytest.Item | None:
    """Return the test that is running, None between tests."""
    return config.stash.get(_ITEM, None)


def guests_of(item: pytest.Item) -> tuple[CheckedGuest, ...]:
    """Return the guests of a test that can still be looked at, in the order of their boots."""
    return tuple(item.stash.get(_GUESTS, {}).values())


def note_guest(item: pytest.Item, pool: object, guest: CheckedGuest) -> None:
    """Take in that ``pool`` has booted ``guest`` for a test."""
    item.stash.setdefault(_GUESTS, {})[pool] = guest


def forget_guest(item: pytest.Item, pool: object) -> None:
    """Take in that the guest of ``pool`` is valid no more."""
    item.stash.setdefault(_GUESTS, {}).pop(pool, None)
